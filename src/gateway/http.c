/* http.c - the HTTP door's thread: sockets and bodies through libmicrohttpd, parking until the commit.
 *
 * libmicrohttpd runs inside our loop: poll() sleeps on its epoll descriptor and on the log's commit eventfd,
 * then MHD_run() reads requests and calls on_request(). A call whose records are not on disk yet queues no
 * response; libmicrohttpd then asks again at each MHD_run(), which costs a function call a turn where
 * suspending would cost three system calls a request. So the loop is: wait, look which parked calls are
 * settled, run. */
#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "base/trace.h"
#include "gateway/gateway.h"
#include "gateway/http_door.h"

enum {
    IDLE_SECONDS = 75, /* a connection without a request is closed */
    LISTEN_BACKLOG = 1024,
    POOL_BYTES = 32 << 10,  /* libmicrohttpd's memory a connection: headers and reads */
    DRAIN_TIMES = 4,        /* bodies up to this many times the limit are read and thrown away */
    BODIES_MOST = 96 << 20, /* bodies being read, in all */
    RESERVE_MOST = 1 << 20, /* a declared length is believed up to here */
    SCRATCH_KEPT = 4 << 20, /* of each buffer that handlers work in */
    STOP_MS = 5000,
    LOOP_MS_MOST = 1000,
};

/* ---- answering ---- */

static enum MHD_Result queue_answer(struct call *call)
{
    struct MHD_Response *response;
    enum MHD_Result result;

    if (call->reply_err)
        rest_error(call, 500, "the answer could not be built: %s", err_name(call->reply_err));
    response = MHD_create_response_from_buffer(call->reply.size, call->reply.at, MHD_RESPMEM_PERSISTENT);
    if (!response)
        return MHD_NO;
    if (call->type)
        MHD_add_response_header(response, "Content-Type", call->type);
    for (size_t i = 0; i < call->header_count; i++)
        MHD_add_response_header(response, call->headers[i].name, call->headers[i].value);
    call->state = CALL_ANSWERED;
    if (call->status >= 400)
        metric_add(call->door->errors, 1);
    result = MHD_queue_response(call->connection, call->status, response);
    MHD_destroy_response(response);
    return result;
}

static void park(struct call *call)
{
    struct http_door *door = call->door;

    call->state = CALL_PARKED;
    call->next = door->parked;
    if (door->parked)
        door->parked->previous = call;
    door->parked = call;
}

static void unpark(struct call *call)
{
    if (call->previous)
        call->previous->next = call->next;
    else
        call->door->parked = call->next;
    if (call->next)
        call->next->previous = call->previous;
    call->next = call->previous = NULL;
}

/* Take those calls out of the parked ones whose records are on disk, or never will be. */
static void settle_parked(struct http_door *door)
{
    struct call *next;

    for (struct call *call = door->parked; call; call = next) {
        enum err err = call_settled(call);
        next = call->next;
        if (err == ERR_BUSY)
            continue;
        unpark(call);
        call->state = CALL_SETTLED;
        if (err)
            call->fail(call, err);
    }
}

/* ---- requests ---- */

static void give_back_body(struct call *call)
{
    call->door->body_bytes -= call->body.room;
    if (call->body.room > RESERVE_MOST / 8)
        buf_release(&call->body);
    buf_clear(&call->body);
    call->door->body_bytes += call->body.room;
}

/* What one large request needed is not kept for the small ones behind it. */
static void trim_scratch(struct door_scratch *scratch)
{
    struct buf *bufs[] = {&scratch->text, &scratch->batch, &scratch->read, &scratch->records};

    for (size_t i = 0; i < sizeof(bufs) / sizeof(*bufs); i++)
        if (bufs[i]->room > SCRATCH_KEPT)
            buf_release(bufs[i]);
}

static void too_large(struct call *call)
{
    rest_error(
        call, 413,
        "the request body is over the limit of %zu bytes (http.body.max.bytes): send fewer records at a time",
        call->door->body_most);
}

static enum MHD_Result handle(struct call *call)
{
    metric_add(call->door->requests, 1);
    if (call->state == CALL_DRAINING)
        too_large(call);
    else
        route_call(call);
    give_back_body(call);
    trim_scratch(&call->door->scratch);
    if (call->wait_count > 0 && call_settled(call) == ERR_BUSY) {
        park(call);
        return MHD_YES;
    }
    if (call->settled)
        call->fail(call, call->settled);
    return queue_answer(call);
}

/* The request's head is here, its body not yet. */
static enum MHD_Result on_head(struct http_door *door, struct MHD_Connection *connection, const char *method,
                               void **at)
{
    struct call *call = call_take(door, connection, method);
    const char *length_text;
    unsigned long long length;

    if (!call)
        return MHD_NO;
    *at = call;
    door->body_bytes += call->body.room;
    length_text = call_header(call, "Content-Length");
    length = length_text ? strtoull(length_text, NULL, 10) : 0;
    if (length > door->body_most) {
        /* One that would wait for our 100, or sends far too much, hears it at once; all others after their
         * body, or they might be cut off while sending and never read our answer. */
        if (call_header(call, "Expect") || length / DRAIN_TIMES > door->body_most) {
            too_large(call);
            return queue_answer(call);
        }
        call->state = CALL_DRAINING;
    } else if (length > 0 && door->body_bytes + length > BODIES_MOST) {
        rest_error(call, 503, "too many requests are being read at once: try again in a moment");
        call_add_header(call, "Retry-After", "1");
        return queue_answer(call);
    } else {
        size_t room = call->body.room;
        (void)buf_reserve(&call->body, length < RESERVE_MOST ? length : RESERVE_MOST);
        door->body_bytes += call->body.room - room;
    }
    return MHD_YES;
}

static enum MHD_Result on_body(struct call *call, const char *data, size_t size)
{
    size_t room = call->body.room;

    call->body_seen += size;
    if (call->state == CALL_DRAINING)
        return call->body_seen / DRAIN_TIMES > call->door->body_most ? MHD_NO : MHD_YES;
    if (buf_add(&call->body, data, size)) {
        if (call->body_seen <= call->door->body_most)
            return MHD_NO; /* out of memory, not over the limit */
        call->state = CALL_DRAINING;
        buf_clear(&call->body);
    }
    call->door->body_bytes += call->body.room - room;
    return call->door->body_bytes > 2 * (size_t)BODIES_MOST ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data, size_t *size,
                                  void **at)
{
    struct call *call = *at;

    if (!call)
        return on_head(arg, connection, method, at);
    if (*size > 0) {
        enum MHD_Result result = on_body(call, data, *size);
        *size = 0;
        return result;
    }
    switch (call->state) {
    case CALL_READING:
    case CALL_DRAINING:
        call->path = url;
        return handle(call);
    case CALL_PARKED:
        return MHD_YES;
    case CALL_SETTLED:
        return queue_answer(call);
    case CALL_ANSWERED:
        break;
    }
    return MHD_YES;
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **at,
                         enum MHD_RequestTerminationCode why)
{
    struct call *call = *at;

    if (!call)
        return;
    if (call->state == CALL_PARKED) /* the client went away: its records are kept all the same */
        unpark(call);
    call->door->body_bytes -= call->body.room;
    call_put(call);
    *at = NULL;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **at,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_door *door = arg;

    metric_add(door->connections, what == MHD_CONNECTION_NOTIFY_STARTED ? 1 : -1);
}

/* ---- the loop ---- */

static int loop_timeout(struct http_door *door)
{
    MHD_UNSIGNED_LONG_LONG ms;

    /* With something parked, libmicrohttpd always says 0, for it wants to ask again; the commit will tell
     * us. */
    if (door->parked || MHD_get_timeout(door->daemon, &ms) != MHD_YES || ms > LOOP_MS_MOST)
        return LOOP_MS_MOST;
    return (int)ms;
}

static void *loop(void *arg)
{
    struct http_door *door = arg;
    struct pollfd fds[] = {
        {door->epoll_fd, POLLIN, 0}, {door->commit_fd, POLLIN, 0}, {door->stop_fd, POLLIN, 0}};
    int64_t stop_at = INT64_MAX;
    uint64_t count;

    while (!door->stopping || (door->parked && clock_steady_ms() < stop_at)) {
        (void)poll(fds, 3, loop_timeout(door));
        if (fds[1].revents & POLLIN) {
            (void)!read(door->commit_fd, &count, sizeof(count));
            settle_parked(door);
        }
        if ((fds[2].revents & POLLIN) && !door->stopping) {
            int listener = MHD_quiesce_daemon(door->daemon);
            door->stopping = true;
            stop_at = clock_steady_ms() + STOP_MS;
            fds[2].fd = -1;
            if (listener >= 0)
                close(listener);
        }
        MHD_run(door->daemon);
    }
    MHD_run(door->daemon); /* sends what was settled last */
    return NULL;
}

/* ---- start and stop ---- */

static void on_message(void *arg, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
static void on_message(void *arg, const char *format, va_list args)
{
    char text[300];

    vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = 0;
    trace_debug("http", "%s", text);
}

static enum err listen_on(struct http_door *door, const char *address)
{
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_TURBO | MHD_USE_ERROR_LOG;
    const union MHD_DaemonInfo *info;
    struct addrinfo *found = NULL;
    char host[256], service[16];
    enum err err;
    int port, failed;

    err = config_address(address, host, &port);
    if (err)
        return err;
    snprintf(service, sizeof(service), "%d", port);
    failed = getaddrinfo(host[0] ? host : NULL, service, &hints, &found);
    if (failed)
        return err_note(ERR_IO, "cannot listen on %s: %s (setting http)", address, gai_strerror(failed));
    door->daemon = MHD_start_daemon(
        flags | (found->ai_family == AF_INET6 ? MHD_USE_IPv6 : 0), (uint16_t)port, NULL, NULL, on_request,
        door, MHD_OPTION_EXTERNAL_LOGGER, on_message, NULL, MHD_OPTION_SOCK_ADDR, found->ai_addr,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)config_integer(door->config, "http.connections.max"),
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)POOL_BYTES, MHD_OPTION_LISTEN_BACKLOG_SIZE, (unsigned)LISTEN_BACKLOG,
        MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_NOTIFY_COMPLETED, on_completed, NULL,
        MHD_OPTION_NOTIFY_CONNECTION, on_connection, door, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1,
        MHD_OPTION_END);
    failed = errno;
    freeaddrinfo(found);
    if (!door->daemon)
        return err_note(ERR_IO, "cannot listen on %s: %s (setting http; is another program using the port?)",
                        address, strerror(failed));
    info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    door->epoll_fd = info->epoll_fd;
    info = MHD_get_daemon_info(door->daemon, MHD_DAEMON_INFO_BIND_PORT);
    door->port = info->port;
    return ERR_OK;
}

/* The secret that seals shard iterators is kept in the data folder, so that an iterator survives a
 * restart. */
static enum err load_secret(struct http_door *door)
{
    const char *path = config_path(door->config, "run/iterator.key");
    struct buf secret = buf_init(SECRET_BYTES);
    enum err err = disk_read_file(disk_real(), path, &secret);

    if (!err && secret.size == SECRET_BYTES) {
        memcpy(door->secret, secret.at, SECRET_BYTES);
    } else {
        if (getrandom(door->secret, SECRET_BYTES, 0) != SECRET_BYTES)
            err = err_note(ERR_IO, "the kernel gave no random bytes");
        else
            err = disk_write_file(disk_real(), path, bytes_of(door->secret, SECRET_BYTES));
    }
    buf_release(&secret);
    return err;
}

static void door_free(struct http_door *door)
{
    if (door->daemon)
        MHD_stop_daemon(door->daemon);
    log_wake_forget(door->log, door->commit_fd);
    if (door->commit_fd >= 0)
        close(door->commit_fd);
    if (door->stop_fd >= 0)
        close(door->stop_fd);
    buf_release(&door->scratch.text);
    buf_release(&door->scratch.batch);
    buf_release(&door->scratch.read);
    buf_release(&door->scratch.records);
    call_free_spares(door);
    free(door);
}

static enum err start_thread(struct http_door *door)
{
    sigset_t all, before;
    int failed;

    sigfillset(&all); /* signals are the main thread's; SIGPIPE is nobody's */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&door->thread, NULL, loop, door);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return failed ? err_note(ERR_IO, "cannot start the HTTP door's thread: %s", strerror(failed)) : ERR_OK;
}

enum err http_door_start(struct http_door **out, const struct config *config, struct log *log)
{
    struct http_door *door = calloc(1, sizeof(*door));
    enum err err;

    if (!door)
        return err_note(ERR_NO_MEMORY, "out of memory for the HTTP door");
    door->config = config;
    door->log = log;
    door->body_most = (size_t)config_integer(config, "http.body.max.bytes");
    door->scratch = (struct door_scratch){buf_init(2 * door->body_most), buf_init(2 * door->body_most),
                                          buf_init(CALL_REPLY_MOST), buf_init(SIZE_MAX / 2)};
    door->requests = metric_counter("pinrail_http_requests_total", "", "requests the HTTP door took in");
    door->records = metric_counter("pinrail_http_records_total", "", "records the HTTP door appended");
    door->errors =
        metric_counter("pinrail_http_errors_total", "", "requests answered with a status of 400 or more");
    door->connections = metric_gauge("pinrail_http_connections", "", "open connections of the HTTP door");
    door->commit_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    door->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (door->commit_fd < 0 || door->stop_fd < 0)
        err = err_note(ERR_IO, "cannot make an eventfd: %s", strerror(errno));
    else
        err = load_secret(door);
    if (!err)
        err = listen_on(door, config_text(config, "http"));
    if (!err)
        err = log_wake_on_commit(log, door->commit_fd);
    if (!err)
        err = start_thread(door);
    if (err) {
        door_free(door);
        return err;
    }
    *out = door;
    return ERR_OK;
}

void http_door_stop(struct http_door *door)
{
    uint64_t one = 1;

    if (!door)
        return;
    (void)!write(door->stop_fd, &one, sizeof(one));
    pthread_join(door->thread, NULL);
    door_free(door);
}

int http_door_port(const struct http_door *door)
{
    return door->port;
}
