/* load - a load generator for the HTTP door that leaves the machine to the server.
 *
 *     bench-load --url http://127.0.0.1:8082 [--mode batch|records|record|kinesis] [--user demo]
 *                [--entities pin,geo,user] [--batch 100] [--connections 16] [--records N | --seconds S]
 *
 * One thread, non-blocking keep-alive sockets, one request under way on each. Requests are rendered before the clock
 * starts, from generated posts, and then sent over and over: so a post costs a copy to the kernel and no more. Modes:
 * batch is POST /topics/USER.ENTITY, record and records are PUT /streams/streaming-USER-ENTITY/record and /records,
 * kinesis is PutRecords of Kinesis's JSON API, which other programs speak too (bench/run measures one as a peer). Each answer must be a 200 without an error in it, or the run ends. Prints one JSON line. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json.h"
#include "emulate/request.h"

enum {
    ENTITIES_MOST = 3,
    CONNECTIONS_MOST = 4096,
    POOL_BYTES = 48 << 20, /* of rendered requests, over all entities: more than a cache holds */
    POOL_MOST = 4096,
    ANSWER_ROOM = 1 << 20,
    SEED = 1,
    GIVE_UP_MS = 30000,
};

static const char *const entity_names[ENTITIES_MOST] = {"pin", "geo", "user"};

/* What a signed request carries, for doors that look for it. Nobody's name, and not a signature: only the form. */
static const char form_of_signing[] =
    "X-Amz-Date: 20250101T000000Z\r\n"
    "Authorization: AWS4-HMAC-SHA256 Credential=BENCH/20250101/us-east-1/kinesis/aws4_request, "
    "SignedHeaders=host;x-amz-date;x-amz-target, Signature=0\r\n";

struct settings {
    char host[256], port[8];
    const char *user;
    enum mode { MODE_BATCH, MODE_RECORDS, MODE_RECORD, MODE_KINESIS, MODES } mode;
    bool wanted[ENTITIES_MOST];
    int batch, connections;
    int64_t records; /* 0: bounded by seconds */
    double seconds;
};

struct entity {
    struct bytes *requests; /* rendered, with their heads */
    size_t count, next;
    int64_t begun, quota; /* records; quota 0: none */
};

struct connection {
    int fd;
    struct entity *entity;
    struct bytes request;
    size_t sent;
    int64_t start_us;
    uint8_t *answer;
    size_t got;
    bool busy;
};

/* Counts by latency: by the microsecond below 1,024, then 128 steps for each doubling, so within 1 %. */
enum { EXACT = 1024, STEPS = 128, DOUBLINGS = 22, BUCKETS = EXACT + STEPS * DOUBLINGS };

struct load {
    struct settings settings;
    struct entity entities[ENTITIES_MOST];
    struct connection *connections;
    int epoll, flying;
    int64_t start_us, stop_us; /* stop_us: when no more requests are begun; 0: by records */
    int64_t records, requests, bytes;
    int64_t latencies[BUCKETS];
};

static void die(int status, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

static void die(int status, const char *format, ...)
{
    va_list args;

    fputs("bench-load: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(status);
}

/* ---- settings ---- */

static int64_t number(const char *text, int64_t least, int64_t most)
{
    char *end;
    long long value = strtoll(text, &end, 10);

    if (end == text || *end || value < least || value > most)
        die(64, "'%s' is not a number from %lld to %lld", text, (long long)least, (long long)most);
    return value;
}

static void parse_url(struct settings *settings, const char *url)
{
    const char *colon;

    if (strncmp(url, "http://", 7) != 0 || !(colon = strrchr(url, ':')) || colon < url + 7 ||
        (size_t)(colon - url - 7) >= sizeof(settings->host))
        die(64, "--url is http://HOST:PORT");
    snprintf(settings->host, sizeof(settings->host), "%.*s", (int)(colon - url - 7), url + 7);
    snprintf(settings->port, sizeof(settings->port), "%d", (int)number(colon + 1, 1, 65535));
}

static void parse_entities(struct settings *settings, const char *list)
{
    memset(settings->wanted, 0, sizeof(settings->wanted));
    while (*list) {
        size_t size = strcspn(list, ","), e = 0;
        while (e < ENTITIES_MOST &&
               (strlen(entity_names[e]) != size || strncmp(list, entity_names[e], size) != 0))
            e++;
        if (e == ENTITIES_MOST)
            die(64, "--entities is a list of pin, geo and user");
        settings->wanted[e] = true;
        list += size + (list[size] == ',');
    }
}

static enum mode parse_mode(const char *name)
{
    static const char *const names[MODES] = {
        [MODE_BATCH] = "batch",
        [MODE_RECORDS] = "records",
        [MODE_RECORD] = "record",
        [MODE_KINESIS] = "kinesis",
    };
    int mode = 0;

    while (mode < MODES && strcmp(name, names[mode]) != 0)
        mode++;
    if (mode == MODES)
        die(64, "--mode is batch, records, record or kinesis");
    return (enum mode)mode;
}

static void parse(struct settings *settings, int argc, char **argv)
{
    static const struct option options[] = {
        {"url", required_argument, NULL, 'u'},
        {"mode", required_argument, NULL, 'm'},
        {"user", required_argument, NULL, 'U'},
        {"entities", required_argument, NULL, 'e'},
        {"batch", required_argument, NULL, 'b'},
        {"connections", required_argument, NULL, 'c'},
        {"records", required_argument, NULL, 'r'},
        {"seconds", required_argument, NULL, 's'},
        {NULL, 0, NULL, 0},
    };
    int option;

    *settings =
        (struct settings){.user = "demo", .wanted = {true}, .batch = 100, .connections = 16, .seconds = 5};
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'u':
            parse_url(settings, optarg);
            break;
        case 'm':
            settings->mode = parse_mode(optarg);
            break;
        case 'U':
            settings->user = optarg;
            break;
        case 'e':
            parse_entities(settings, optarg);
            break;
        case 'b':
            settings->batch = (int)number(optarg, 1, EMULATE_BATCH_MOST);
            break;
        case 'c':
            settings->connections = (int)number(optarg, 1, CONNECTIONS_MOST);
            break;
        case 'r':
            settings->records = number(optarg, 1, INT64_MAX);
            break;
        case 's':
            settings->seconds = (double)number(optarg, 1, 86400);
            break;
        default:
            exit(64);
        }
    }
    if (!*settings->host)
        die(64, "--url http://HOST:PORT is wanted");
    if (settings->connections < settings->wanted[0] + settings->wanted[1] + settings->wanted[2])
        die(64, "--connections is less than one an entity");
    if (settings->mode == MODE_RECORD)
        settings->batch = 1;
    if ((settings->mode == MODE_RECORDS || settings->mode == MODE_KINESIS) &&
        settings->batch > EMULATE_STREAMING_BATCH_MOST)
        die(64, "a PutRecords takes at most %d records", EMULATE_STREAMING_BATCH_MOST);
}

/* ---- requests, before the clock starts ---- */

/* The request of the door's own forms: batch, /record and /records. */
static enum err render_door(const struct settings *settings, struct request *request, const char *stream,
                            int e, struct buf *out)
{
    bool streaming = settings->mode != MODE_BATCH, single = settings->mode == MODE_RECORD;
    enum err err = request_render(request, streaming ? EMULATE_STREAMING : EMULATE_BATCH, single, stream);

    if (!err && streaming)
        err = buf_printf(out, "PUT /streams/%s/%s HTTP/1.1\r\n", stream, single ? "record" : "records");
    else if (!err)
        err = buf_printf(out, "POST /topics/%s.%s HTTP/1.1\r\n", settings->user, entity_names[e]);
    return err ? err
               : buf_printf(out, "Content-Type: %s\r\n",
                            streaming ? "application/json" : "application/vnd.kafka.json.v2+json");
}

/* PutRecords as Kinesis takes it from an SDK. */
static enum err render_kinesis(struct request *request, const char *stream, struct buf *out)
{
    struct buf *body = &request->body;
    enum err err = buf_printf(out,
                              "POST / HTTP/1.1\r\nContent-Type: application/x-amz-json-1.1\r\n"
                              "X-Amz-Target: Kinesis_20131202.PutRecords\r\n%s",
                              form_of_signing);

    buf_clear(body);
    if (!err)
        err = buf_printf(body, "{\"StreamName\":\"%s\",\"Records\":[", stream);
    for (size_t i = 0; i < request->count && !err; i++) {
        const struct request_row *row = &request->rows[i];
        err = buf_add_text(body, i > 0 ? ",{\"Data\":\"" : "{\"Data\":\"");
        if (!err)
            err = base64_encode(bytes_of(request->text.at + row->at, row->size), body);
        if (!err)
            err = buf_printf(body, "\",\"PartitionKey\":\"%lld\"}", (long long)row->index);
    }
    return err ? err : buf_add_text(body, "]}");
}

static struct bytes render(const struct settings *settings, struct request *request, int e)
{
    struct buf out = buf_init(REQUEST_BODY_MOST);
    char stream[256];
    enum err err;

    snprintf(stream, sizeof(stream), "streaming-%s-%s", settings->user, entity_names[e]);
    err = settings->mode == MODE_KINESIS ? render_kinesis(request, stream, &out)
                                         : render_door(settings, request, stream, e, &out);
    if (err ||
        buf_printf(&out, "Host: %s:%s\r\nContent-Length: %zu\r\n\r\n", settings->host, settings->port,
                   request->body.size) ||
        buf_add_bytes(&out, buf_bytes(&request->body)))
        die(70, "%s", err_sentence());
    return buf_bytes(&out); /* kept until the process ends */
}

/* The same posts for every entity, as many requests as the pool has room for but no more than are sent. */
static void render_all(struct load *load)
{
    const struct settings *settings = &load->settings;
    struct source_options options = {"demo", SOURCE_EACH_ONCE, SEED, false};
    struct request requests[ENTITIES_MOST];
    struct source *source = NULL;
    size_t taken = 0, count = 0;

    if (source_open(&source, &options))
        die(70, "%s", err_sentence());
    for (int e = 0; e < ENTITIES_MOST; e++) {
        request_init(&requests[e]);
        load->entities[e].requests = calloc(POOL_MOST, sizeof(struct bytes));
        if (!load->entities[e].requests)
            die(71, "no memory");
    }
    while (count == 0 || (taken < POOL_BYTES && count < POOL_MOST &&
                          (settings->records == 0 || (int64_t)count * settings->batch < settings->records))) {
        for (int e = 0; e < ENTITIES_MOST; e++)
            request_clear(&requests[e]);
        for (int i = 0; i < settings->batch; i++) {
            struct post post;
            source_next(source, &post);
            if (request_add(&requests[0], post.index, post.pin) ||
                request_add(&requests[1], post.index, post.geo) ||
                request_add(&requests[2], post.index, post.user))
                die(70, "%s", err_sentence());
        }
        for (int e = 0; e < ENTITIES_MOST; e++) {
            if (!settings->wanted[e])
                continue;
            load->entities[e].requests[count] = render(settings, &requests[e], e);
            load->entities[e].count = count + 1;
            taken += load->entities[e].requests[count].size;
        }
        count++;
    }
    for (int e = 0; e < ENTITIES_MOST; e++)
        request_release(&requests[e]);
    source_close(source);
}

/* ---- the clock runs ---- */

static void count_latency(struct load *load, int64_t us)
{
    int bucket = BUCKETS - 1;

    if (us < EXACT) {
        bucket = us < 0 ? 0 : (int)us;
    } else {
        int doubling = 63 - __builtin_clzll((uint64_t)us) - 10;
        if (doubling < DOUBLINGS)
            bucket = EXACT + doubling * STEPS + (int)(us >> (doubling + 3) & (STEPS - 1));
    }
    load->latencies[bucket]++;
}

static int64_t percentile(const struct load *load, double share)
{
    int64_t seen = 0, wanted = (int64_t)((double)load->requests * share);
    int bucket = 0;

    while (bucket < BUCKETS - 1 && (seen += load->latencies[bucket]) <= wanted)
        bucket++;
    if (bucket < EXACT)
        return bucket;
    return (int64_t)(STEPS + (bucket - EXACT) % STEPS) << ((bucket - EXACT) / STEPS + 3);
}

static void write_on(struct load *load, struct connection *connection)
{
    while (connection->busy && connection->sent < connection->request.size) {
        ssize_t wrote = send(connection->fd, connection->request.at + connection->sent,
                             connection->request.size - connection->sent, MSG_NOSIGNAL);
        if (wrote < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (wrote < 0)
            die(69, "the door hung up while sending: %s", strerror(errno));
        connection->sent += (size_t)wrote;
        load->bytes += wrote;
    }
}

/* Send the next request, if there is to be one. */
static void begin(struct load *load, struct connection *connection)
{
    struct entity *entity = connection->entity;
    int64_t now = clock_steady_us();

    if (load->stop_us ? now >= load->stop_us : entity->begun >= entity->quota)
        return;
    entity->begun += load->settings.batch;
    connection->request = entity->requests[entity->next];
    entity->next = (entity->next + 1) % entity->count;
    connection->sent = connection->got = 0;
    connection->start_us = now;
    connection->busy = true;
    load->flying++;
    write_on(load, connection);
}

/* The size of the whole answer, or 0 while its head is not complete. */
static size_t answer_size(const struct connection *connection)
{
    const char *at = (const char *)connection->answer;
    const char *head_end = memmem(at, connection->got, "\r\n\r\n", 4), *length;
    size_t size;

    if (!head_end)
        return 0;
    length = strcasestr(at, "\r\nContent-Length:");
    if (!length || length > head_end)
        die(65, "an answer without Content-Length: %.*s", (int)(head_end - at), at);
    size = (size_t)(head_end + 4 - at) + strtoull(length + 17, NULL, 10);
    if (size >= ANSWER_ROOM)
        die(65, "an answer of %zu bytes", size);
    return size;
}

static void check_answer(const struct load *load, const struct connection *connection, size_t size)
{
    const char *at = (const char *)connection->answer;
    bool good = size > 12 && memcmp(at, "HTTP/1.1 200", 12) == 0;

    if (load->settings.mode == MODE_BATCH)
        good = good && !memmem(at, size, "\"error\":\"", 9);
    else if (load->settings.mode != MODE_RECORD)
        good = good && memmem(at, size, "\"FailedRecordCount\":0", 21);
    if (!good)
        die(65, "the door does not take the rows:\n%.*s", size < 2000 ? (int)size : 2000, at);
}

static void read_on(struct load *load, struct connection *connection)
{
    for (;;) {
        ssize_t got =
            recv(connection->fd, connection->answer + connection->got, ANSWER_ROOM - 1 - connection->got, 0);
        size_t size;
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            die(69, "the door hung up: %s", got < 0 ? strerror(errno) : "end of file");
        connection->got += (size_t)got;
        connection->answer[connection->got] = 0;
        size = answer_size(connection);
        if (size == 0 || connection->got < size)
            continue;
        count_latency(load, clock_steady_us() - connection->start_us);
        check_answer(load, connection, size);
        load->requests++;
        load->records += load->settings.batch;
        load->flying--;
        connection->busy = false;
        begin(load, connection);
        return; /* what comes next raises another event */
    }
}

static void open_connection(struct load *load, struct connection *connection, const struct addrinfo *address)
{
    const int yes = 1;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};

    connection->fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connection->answer = malloc(ANSWER_ROOM);
    if (connection->fd < 0 || !connection->answer)
        die(71, "no socket or memory for a connection");
    if (connect(connection->fd, address->ai_addr, address->ai_addrlen) != 0)
        die(69, "cannot connect to %s:%s: %s", load->settings.host, load->settings.port, strerror(errno));
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (fcntl(connection->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0)
        die(71, "%s", strerror(errno));
}

static void open_all(struct load *load)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *address = NULL;
    int count = load->settings.connections, e = 0;

    load->epoll = epoll_create1(EPOLL_CLOEXEC);
    load->connections = calloc((size_t)count, sizeof(*load->connections));
    if (load->epoll < 0 || !load->connections)
        die(71, "no memory for connections");
    if (getaddrinfo(load->settings.host, load->settings.port, &hints, &address) != 0)
        die(69, "there is no host %s", load->settings.host);
    for (int i = 0; i < count; i++) {
        while (!load->settings.wanted[e % ENTITIES_MOST])
            e++;
        load->connections[i].entity = &load->entities[e++ % ENTITIES_MOST];
        open_connection(load, &load->connections[i], address);
    }
    freeaddrinfo(address);
}

static void run(struct load *load)
{
    enum { EVENTS = 256 };
    struct epoll_event events[EVENTS];
    int wanted = load->settings.wanted[0] + load->settings.wanted[1] + load->settings.wanted[2];

    for (int e = 0; e < ENTITIES_MOST; e++)
        load->entities[e].quota = load->settings.records / (wanted ? wanted : 1);
    load->start_us = clock_steady_us();
    if (load->settings.records == 0)
        load->stop_us = load->start_us + (int64_t)(load->settings.seconds * 1e6);
    for (int i = 0; i < load->settings.connections; i++)
        begin(load, &load->connections[i]);
    while (load->flying > 0) {
        int count = epoll_wait(load->epoll, events, EVENTS, GIVE_UP_MS);
        if (count == 0)
            die(69, "no answer for %d s", GIVE_UP_MS / 1000);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (events[i].events & EPOLLOUT)
                write_on(load, connection);
            if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
                read_on(load, connection);
        }
    }
}

int main(int argc, char **argv)
{
    static struct load load;
    struct rusage usage, before;
    double seconds, cpu;

    parse(&load.settings, argc, argv);
    render_all(&load);
    open_all(&load);
    getrusage(RUSAGE_SELF, &before);
    run(&load);
    seconds = (double)(clock_steady_us() - load.start_us) / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec - before.ru_utime.tv_sec -
                   before.ru_stime.tv_sec) +
          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec - before.ru_utime.tv_usec -
                   before.ru_stime.tv_usec) /
              1e6;
    printf("{\"records\":%" PRId64 ",\"requests\":%" PRId64 ",\"seconds\":%.4f,\"records_per_second\":%.0f,"
           "\"requests_per_second\":%.0f,\"bytes\":%" PRId64 ",\"p50_us\":%" PRId64 ",\"p99_us\":%" PRId64
           ",\"p999_us\":%" PRId64 ",\"cpu_seconds\":%.3f}\n",
           load.records, load.requests, seconds, (double)load.records / seconds,
           (double)load.requests / seconds, load.bytes, percentile(&load, 0.5), percentile(&load, 0.99),
           percentile(&load, 0.999), cpu);
    return 0;
}
