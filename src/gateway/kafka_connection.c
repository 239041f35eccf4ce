/* kafka_connection.c - one client of the Kafka door: framing, and the order of answers.
 *
 *     request = size i32 | api key i16 | version i16 | correlation id i32 | client id text | [tags] | body
 *     answer  = size i32 | correlation id i32 | [tags] | body
 *
 * Answers leave in the order the requests came. Clients pipeline: produce requests overlap, so that one commit serves
 * many; any other request starts when those before it are answered, as in Kafka's broker.
 *
 * Memory is bounded on both sides: no more input is held than the request under way and some more, and no request
 * starts while too much is unsent or unanswered. */
#include <event2/buffer.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/trace.h"
#include "gateway/kafka_door.h"

enum {
    FRAME_BYTES = 4,
    HEADER_BYTES = 8, /* key, version, correlation id: what every request has */
    READ_AHEAD_BYTES =
        128 << 10, /* what any connection may hold of its input; more takes room, see kafka_room.c */
    READ_ONCE_BYTES = 1 << 20,
    UNSENT_MOST = 1 << 20,
    UNANSWERED_MOST = 64,      /* overlapping produce requests */
    SMALL_ANSWER_BYTES = 2048, /* smaller answers are copied, larger ones handed over */
    KEY_PRODUCE = 0,
    KEY_API_VERSIONS = 18,
};

static void connection_run(struct kafka_connection *connection);

/* ---- calls ---- */

static void unpark(struct kafka_call *call)
{
    struct kafka_door *door = call->connection->door;

    if (!call->again)
        return;
    if (call->parked_before)
        call->parked_before->parked_after = call->parked_after;
    else
        door->parked = call->parked_after;
    if (call->parked_after)
        call->parked_after->parked_before = call->parked_before;
    call->again = NULL;
    if (call->timer_set)
        evtimer_del(&call->timer);
    call->timer_set = false;
}

static void call_free(struct kafka_call *call)
{
    unpark(call);
    if (call->release)
        call->release(call->state);
    arena_release(&call->arena);
    buf_release(&call->reply);
    free(call);
}

/* What a handler said. */
static void call_took(struct kafka_call *call, enum err err)
{
    if (err == ERR_BUSY)
        return;
    unpark(call);
    if (!err)
        err = call->out.err;
    if (err && err != ERR_END) {
        trace_warn("kafka",
                   "%s: closing the connection, as its %s request (version %d) cannot be answered: %s",
                   call->client_host, call->api->name, call->version, err_name(err));
        call->connection->is_broken = true;
        return;
    }
    call->done = true;
    call->silent = err == ERR_END;
}

/* The connection is only marked: others may be in the middle of the list of parked calls. */
static void look_again(struct kafka_call *call)
{
    enum err err = call->again(call);

    if (err == ERR_BUSY)
        return;
    call_took(call, err);
    call->connection->is_due = true;
}

static void run_due(struct kafka_door *door)
{
    for (struct kafka_connection *connection = door->connections, *next; connection; connection = next) {
        next = connection->next;
        if (connection->is_due) {
            connection->is_due = false;
            connection_run(connection);
        }
    }
}

void kafka_look_at_parked(struct kafka_door *door)
{
    for (struct kafka_call *call = door->parked, *next; call; call = next) {
        next = call->parked_after;
        look_again(call);
    }
    run_due(door);
}

void kafka_hurry_parked(struct kafka_door *door)
{
    for (struct kafka_call *call = door->parked; call; call = call->parked_after)
        call->expired = call->expired || !call->waits_for_commit;
    kafka_look_at_parked(door);
}

bool kafka_is_drained(const struct kafka_door *door)
{
    for (const struct kafka_connection *connection = door->connections; connection;
         connection = connection->next)
        if (connection->first)
            return false;
    return door->unsent_bytes == 0;
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct kafka_call *call = arg;
    struct kafka_connection *connection = call->connection;

    call->expired = true;
    call->timer_set = false;
    look_again(call);
    if (connection->is_due) {
        connection->is_due = false;
        connection_run(connection);
    }
}

enum err kafka_park(struct kafka_call *call, kafka_handler *again, int64_t wait_ms)
{
    struct kafka_door *door = call->connection->door;
    struct timeval wait = {wait_ms / 1000, wait_ms % 1000 * 1000};

    call->again = again;
    call->parked_after = door->parked;
    call->parked_before = NULL;
    if (door->parked)
        door->parked->parked_before = call;
    door->parked = call;
    if (wait_ms >= 0) {
        evtimer_assign(&call->timer, door->base, on_deadline, call);
        call->timer_set = evtimer_add(&call->timer, &wait) == 0;
    }
    return ERR_BUSY;
}

/* ---- requests in ---- */

static struct kafka_call *call_new(struct kafka_connection *connection, const struct kafka_api *api,
                                   int16_t version)
{
    struct kafka_door *door = connection->door;
    struct kafka_call *call = calloc(1, sizeof(*call));

    if (!call)
        return NULL;
    call->connection = connection;
    call->api = api;
    call->version = version;
    call->arena = arena_init(KAFKA_ARENA_MOST);
    call->reply = buf_init(KAFKA_REPLY_MOST);
    call->log = door->log;
    call->groups = door->groups;
    call->config = door->config;
    call->cluster_id = door->cluster_id;
    call->host = connection->host;
    call->port = connection->port;
    call->client_host = connection->client_host;
    call->unsent_bytes = door->unsent_bytes;
    call->is_stopping = door->is_stopping;
    return call;
}

static void call_enqueue(struct kafka_connection *connection, struct kafka_call *call)
{
    if (connection->last)
        connection->last->next = call;
    else
        connection->first = call;
    connection->last = call;
    connection->call_count++;
    connection->produce_count += call->api->key == KEY_PRODUCE;
}

static void begin_answer(struct kafka_call *call, bool flexible)
{
    call->out = (struct kafka_out){&call->reply, flexible, ERR_OK};
    out_i32(&call->out, 0); /* the size, known when it is sent */
    out_i32(&call->out, call->correlation_id);
    if (call->api->key != KEY_API_VERSIONS) /* which must be readable before versions are agreed on */
        out_tags(&call->out);
}

/* Make a call of one request (without its size) and start it. */
static enum err start_request(struct kafka_connection *connection, struct bytes request)
{
    struct kafka_door *door = connection->door;
    const struct kafka_api *api = kafka_api_find((int16_t)get_u16(request.at));
    int16_t version = (int16_t)get_u16(request.at + 2);
    bool fits = api && version >= api->min && version <= api->max, flexible;
    struct kafka_call *call;

    if (!api || (!fits && api->key != KEY_API_VERSIONS)) {
        trace_warn(
            "kafka",
            "%s asks for %s %d in version %d, which docs/kafka.md does not list; closing the connection",
            connection->client_host, api ? api->name : "request", get_u16(request.at), version);
        return ERR_UNSUPPORTED;
    }
    call = call_new(connection, api, version);
    if (!call)
        return ERR_NO_MEMORY;
    call_enqueue(connection, call);
    metric_add(door->request_metrics[api - kafka_apis], 1);
    call->correlation_id = (int32_t)get_u32(request.at + 4);
    flexible = fits && api->flexible >= 0 && version >= api->flexible;
    call->in = (struct kafka_in){request.at + HEADER_BYTES, request.at + request.size, &call->arena, flexible,
                                 ERR_OK};
    call->client_id = "";
    if (fits) {
        const char *client_id = in_plain_text_or_null(&call->in);
        call->client_id = client_id ? client_id : "";
        in_tags(&call->in);
    }
    begin_answer(call, flexible);
    call_took(call, call->in.err ? call->in.err : api->handle(call));
    return connection->is_broken ? ERR_INVALID : ERR_OK;
}

/* May a request with that API key start now? */
static bool may_start(const struct kafka_connection *connection, int16_t key)
{
    if (evbuffer_get_length(bufferevent_get_output(connection->bev)) > UNSENT_MOST)
        return false;
    if (connection->call_count == 0)
        return true;
    return key == KEY_PRODUCE && connection->produce_count == connection->call_count &&
           connection->call_count < UNANSWERED_MOST;
}

/* Start what requests are there and may start. *started: were there any? */
static enum err take_requests(struct kafka_connection *connection, bool *started)
{
    struct evbuffer *input = bufferevent_get_input(connection->bev);
    size_t most = connection->door->request_most, want = FRAME_BYTES + HEADER_BYTES;
    enum err err = ERR_OK;

    *started = false;
    while (!err) {
        size_t have = evbuffer_get_length(input), size;
        uint8_t head[FRAME_BYTES + 2], *frame;

        want = FRAME_BYTES + HEADER_BYTES;
        if (have < want)
            break;
        evbuffer_copyout(input, head, sizeof(head));
        size = get_u32(head);
        if (size < HEADER_BYTES || size > most) {
            trace_warn("kafka", "%s: a request of %zu bytes; at most kafka.request.max.bytes (%zu) are taken",
                       connection->client_host, size, most);
            return ERR_TOO_LARGE;
        }
        want = FRAME_BYTES + size;
        if (have < want && want > READ_AHEAD_BYTES && !kafka_room_take(connection, want))
            break;
        if (have < want || !may_start(connection, (int16_t)get_u16(head + FRAME_BYTES)))
            break;
        frame = evbuffer_pullup(input, (ev_ssize_t)want);
        err = frame ? start_request(connection, bytes_of(frame + FRAME_BYTES, size)) : ERR_NO_MEMORY;
        evbuffer_drain(input, want);
        kafka_room_give_back(connection);
        metric_add(connection->door->in_metric, (int64_t)want);
        *started = true;
    }
    bufferevent_setwatermark(connection->bev, EV_READ, want,
                             want > READ_AHEAD_BYTES ? want : READ_AHEAD_BYTES);
    return err;
}

/* ---- answers out ---- */

static void free_sent(const void *data, size_t size, void *arg)
{
    free(arg);
}

static enum err send_answer(struct kafka_connection *connection, struct kafka_call *call)
{
    struct evbuffer *output = bufferevent_get_output(connection->bev);
    struct buf *reply = &call->reply;

    put_u32(reply->at, (uint32_t)(reply->size - FRAME_BYTES));
    metric_add(connection->door->out_metric, (int64_t)reply->size);
    if (reply->size <= SMALL_ANSWER_BYTES)
        return evbuffer_add(output, reply->at, reply->size) ? ERR_NO_MEMORY : ERR_OK;
    if (evbuffer_add_reference(output, reply->at, reply->size, free_sent, reply->at))
        return ERR_NO_MEMORY;
    *reply = buf_init(0); /* the output's now */
    return ERR_OK;
}

static enum err send_answers(struct kafka_connection *connection)
{
    enum err err = ERR_OK;

    while (!err && connection->first && connection->first->done) {
        struct kafka_call *call = connection->first;
        connection->first = call->next;
        if (!connection->first)
            connection->last = NULL;
        connection->call_count--;
        connection->produce_count -= call->api->key == KEY_PRODUCE;
        if (!call->silent)
            err = send_answer(connection, call);
        call_free(call);
    }
    return err;
}

/* Answer what can be answered and start what can be started, until neither is left. May close the connection. */
static void connection_run(struct kafka_connection *connection)
{
    bool started = true;
    enum err err = connection->is_broken ? ERR_INVALID : ERR_OK;

    while (!err && started) {
        err = send_answers(connection);
        if (!err)
            err = take_requests(connection, &started);
    }
    if (err)
        kafka_connection_close(connection);
}

/* ---- the socket ---- */

static void on_readable(struct bufferevent *bev, void *arg)
{
    connection_run(arg);
}

/* The output has drained: what was held back may start. */
static void on_writable(struct bufferevent *bev, void *arg)
{
    connection_run(arg);
}

static void on_event(struct bufferevent *bev, short what, void *arg)
{
    if (what & (BEV_EVENT_EOF | BEV_EVENT_ERROR | BEV_EVENT_TIMEOUT))
        kafka_connection_close(arg);
}

static void on_output_change(struct evbuffer *output, const struct evbuffer_cb_info *info, void *arg)
{
    struct kafka_connection *connection = arg;

    connection->door->unsent_bytes += info->n_added;
    connection->door->unsent_bytes -= info->n_deleted;
}

/* The address by which the client reached us is the one that metadata must advertise: it works from where it is. */
static void note_addresses(struct kafka_connection *connection, int fd)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    char port[NI_MAXSERV] = "";

    snprintf(connection->host, sizeof(connection->host), "127.0.0.1");
    connection->port = connection->door->port;
    if (getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
        getnameinfo((struct sockaddr *)&address, size, connection->host, sizeof(connection->host), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
        connection->port = atoi(port);
    size = sizeof(address);
    connection->client_host[0] = '/'; /* as Kafka writes an address without a name */
    if (getpeername(fd, (struct sockaddr *)&address, &size) != 0 ||
        getnameinfo((struct sockaddr *)&address, size, connection->client_host + 1, NI_MAXHOST, NULL, 0,
                    NI_NUMERICHOST) != 0)
        connection->client_host[1] = 0;
}

enum err kafka_connection_open(struct kafka_door *door, int fd)
{
    struct kafka_connection *connection = calloc(1, sizeof(*connection));
    int yes = 1;

    if (connection)
        connection->bev = bufferevent_socket_new(door->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!connection || !connection->bev) {
        close(fd);
        free(connection);
        return err_note(ERR_NO_MEMORY, "out of memory for a connection of the Kafka door");
    }
    connection->door = door;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &yes, sizeof(yes));
    note_addresses(connection, fd);
    connection->next = door->connections;
    if (door->connections)
        door->connections->before = connection;
    door->connections = connection;
    metric_set(door->connections_metric, (int64_t)++door->connection_count);

    bufferevent_setcb(connection->bev, on_readable, on_writable, on_event, connection);
    bufferevent_set_max_single_read(connection->bev, READ_ONCE_BYTES);
    bufferevent_set_max_single_write(connection->bev, READ_ONCE_BYTES);
    bufferevent_setwatermark(connection->bev, EV_READ, FRAME_BYTES + HEADER_BYTES, READ_AHEAD_BYTES);
    bufferevent_setwatermark(connection->bev, EV_WRITE, UNSENT_MOST / 2, 0);
    evbuffer_add_cb(bufferevent_get_output(connection->bev), on_output_change, connection);
    bufferevent_enable(connection->bev, EV_READ | EV_WRITE);
    return ERR_OK;
}

void kafka_connection_close(struct kafka_connection *connection)
{
    struct kafka_door *door = connection->door;

    while (connection->first) {
        struct kafka_call *call = connection->first;
        connection->first = call->next;
        call_free(call);
    }
    kafka_room_give_back(connection);
    if (connection->before)
        connection->before->next = connection->next;
    else
        door->connections = connection->next;
    if (connection->next)
        connection->next->before = connection->before;
    metric_set(door->connections_metric, (int64_t)--door->connection_count);
    evbuffer_remove_cb(bufferevent_get_output(connection->bev), on_output_change, connection);
    door->unsent_bytes -= evbuffer_get_length(bufferevent_get_output(connection->bev));
    bufferevent_free(connection->bev);
    free(connection);
}
