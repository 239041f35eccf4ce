/* dashboard.c - the page's HTTP server: a thread a connection, because a question may take a while and health must
 * not wait for it. It only reads: GET and HEAD, nothing else. */
#include "dashboard/dashboard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <zlib.h>

#include "base/json_doc.h"
#include "base/metric.h"
#include "dashboard/api.h"
#include "dashboard/ask.h"
#include "dashboard/feed.h"
#include "dashboard/page.h"

enum {
    CONNECTIONS_MOST = 64,
    IDLE_MOST_S = 30,
    REQUEST_BYTES_MOST = 16 << 10, /* request line and headers */
    ANSWER_BYTES_MOST = 16 << 20,
};

/* The page loads nothing from anywhere but here, runs no script but its own, and is shown in no one's frame. */
static const char *const headers[][2] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cache-Control", "no-cache"}, /* keep, but ask whether it is still true: see the ETag */
};

struct dashboard {
    struct MHD_Daemon *daemon;
    struct page *page;
    struct asker *asker;
    struct feed *feed;
    struct metric *requests;
    int port;
};

/* One request, and what it is answered with. */
struct call {
    struct dashboard *dashboard;
    struct MHD_Connection *connection;
    unsigned status;
    const char *content_type;
    struct buf body;       /* the answer, or */
    struct page_file file; /* a file of the page */
};

static const char *argument(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

static const char *header(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

/* ---- answers ---- */

/* Takes over `json`. */
static enum err answer_json(struct call *call, json_t *json)
{
    enum err err =
        json ? json_doc_write(json, &call->body) : err_note(ERR_NO_MEMORY, "out of memory for an answer");

    json_decref(json);
    return err;
}

static enum err answer_status(struct call *call)
{
    if (!feed_is_ready(call->dashboard->feed))
        return err_note(ERR_BUSY, "the first look at the tables is not done yet");
    return answer_json(call, feed_status(call->dashboard->feed));
}

static enum err answer_rates(struct call *call)
{
    return answer_json(call, feed_rates(call->dashboard->feed));
}

static enum err answer_insights(struct call *call)
{
    const char *from = argument(call, "from");

    if (from && strcmp(from, "tables") != 0 && strcmp(from, "streams") != 0)
        return err_note(ERR_INVALID, "from: either tables or streams");
    return asker_insights(call->dashboard->asker,
                          from && strcmp(from, "streams") == 0 ? INSIGHT_FROM_STREAMS : INSIGHT_FROM_TABLES,
                          &call->body);
}

static enum err answer_newest(struct call *call)
{
    const char *table = argument(call, "table");
    int64_t limit;

    if (!table)
        return err_note(ERR_INVALID, "table: the name of a table is missing; /api/status lists them");
    if (api_number(argument(call, "limit"), 1, ASK_NEWEST_MOST, 20, &limit))
        return err_note(ERR_INVALID, "limit: a number from 1 to %d", ASK_NEWEST_MOST);
    if (!feed_has_table(call->dashboard->feed, table))
        return err_note(ERR_NOT_FOUND, "there is no such table; /api/status lists them");
    return asker_newest(call->dashboard->asker, table, (size_t)limit, &call->body);
}

static enum err answer_alive(struct call *call)
{
    return answer_json(call, json_pack("{s:s}", "status", "ok"));
}

static enum err answer_ready(struct call *call)
{
    if (!feed_is_ready(call->dashboard->feed))
        return err_note(ERR_BUSY, "the first look at the tables is not done yet");
    return answer_json(call, json_pack("{s:s}", "status", "ready"));
}

static enum err answer_metrics(struct call *call)
{
    call->content_type = "text/plain; version=0.0.4; charset=utf-8";
    return metric_render(&call->body);
}

static enum err answer_version(struct call *call)
{
    return answer_json(call, json_pack("{s:s, s:s}", "name", "pinrail", "version", PINRAIL_VERSION));
}

/* All that is answered beside the page's own files. */
static const struct route {
    const char *path;
    enum err (*answer)(struct call *call);
} routes[] = {
    {"/api/status", answer_status}, {"/api/rates", answer_rates}, {"/api/insights", answer_insights},
    {"/api/newest", answer_newest}, {"/healthz", answer_alive},   {"/readyz", answer_ready},
    {"/metrics", answer_metrics},   {"/version", answer_version},
};

static unsigned status_of(enum err err)
{
    switch (err) {
    case ERR_OK:
        return MHD_HTTP_OK;
    case ERR_INVALID:
        return MHD_HTTP_BAD_REQUEST;
    case ERR_NOT_FOUND:
        return MHD_HTTP_NOT_FOUND;
    case ERR_DENIED:
        return MHD_HTTP_FORBIDDEN;
    case ERR_UNSUPPORTED:
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    case ERR_BUSY:
    case ERR_STOPPED:
    case ERR_UNREACHABLE:
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    default:
        return MHD_HTTP_INTERNAL_SERVER_ERROR;
    }
}

/* ---- requests ---- */

/* A name that someone else's DNS points at us would let their page read ours: only names that mean this machine, or a
 * bare address, are answered. */
static bool is_our_host(const char *host)
{
    char name[256];
    struct in_addr v4;
    struct in6_addr v6;
    size_t size;

    if (!host)
        return true; /* HTTP/1.0 */
    if (host[0] == '[') {
        size = strcspn(++host, "]");
    } else {
        size = strcspn(host, ":");
    }
    if (size >= sizeof(name))
        return false;
    memcpy(name, host, size);
    name[size] = 0;
    return strcasecmp(name, "localhost") == 0 || inet_pton(AF_INET, name, &v4) == 1 ||
           inet_pton(AF_INET6, name, &v6) == 1;
}

static enum err answer(struct call *call, const char *method, const char *path)
{
    const char *accepted = header(call, MHD_HTTP_HEADER_ACCEPT_ENCODING);

    if (!is_our_host(header(call, MHD_HTTP_HEADER_HOST)))
        return err_note(ERR_DENIED, "ask for this page at localhost or by address");
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return err_note(ERR_UNSUPPORTED, "this page only reads: GET and HEAD");
    for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++)
        if (strcmp(path, routes[i].path) == 0)
            return routes[i].answer(call);
    return page_find(call->dashboard->page, path, accepted && strstr(accepted, "gzip"), &call->file);
}

static enum MHD_Result send_answer(struct call *call, enum err err)
{
    const char *known = header(call, MHD_HTTP_HEADER_IF_NONE_MATCH);
    struct page_file *file = &call->file;
    struct MHD_Response *response;
    enum MHD_Result result;

    call->status = status_of(err);
    if (!file->content_type) {
        file->content_type = call->content_type ? call->content_type : "application/json";
        file->bytes = buf_bytes(&call->body);
        snprintf(file->etag, sizeof(file->etag), "\"%08lx-%zx\"",
                 crc32(0, file->bytes.at, (uInt)file->bytes.size), file->bytes.size);
    }
    if (!err && known && strcmp(known, file->etag) == 0) {
        call->status = MHD_HTTP_NOT_MODIFIED;
        file->bytes.size = 0;
    }
    response =
        MHD_create_response_from_buffer(file->bytes.size, (void *)file->bytes.at, MHD_RESPMEM_MUST_COPY);
    if (!response)
        return MHD_NO;
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        MHD_add_response_header(response, headers[i][0], headers[i][1]);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, file->content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, "Accept-Encoding");
    if (!err)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ETAG, file->etag);
    if (file->gzipped)
        MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_ENCODING, "gzip");
    if (call->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    if (call->status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    result = MHD_queue_response(call->connection, call->status, response);
    MHD_destroy_response(response);
    return result;
}

/* libmicrohttpd calls once with the headers, then with what body there is, then once to be answered. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_size, void **state)
{
    static int seen;
    struct call call = {.dashboard = arg, .connection = connection, .body = buf_init(ANSWER_BYTES_MOST)};
    enum MHD_Result result;
    enum err err;

    if (!*state) {
        *state = &seen;
        return MHD_YES;
    }
    if (*upload_size) { /* nothing that we answer has a body: read past it */
        *upload_size = 0;
        return MHD_YES;
    }
    metric_add(call.dashboard->requests, 1);
    err = answer(&call, method, path);
    if (err) {
        json_t *json = api_error(err_name(err), err_sentence());
        buf_clear(&call.body);
        call.file = (struct page_file){0};
        call.content_type = NULL;
        answer_json(&call, json);
    }
    result = send_answer(&call, err);
    buf_release(&call.body);
    return result;
}

/* ---- start and stop ---- */

static enum err start_daemon(struct dashboard *dashboard, const char *address)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION | MHD_USE_POLL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE}, *found = NULL;
    const union MHD_DaemonInfo *info;
    char host[256], service[16];
    int port = 0, code;
    enum err err = config_address(address, host, &port);

    if (err)
        return err;
    snprintf(service, sizeof(service), "%d", port);
    code = getaddrinfo(host, service, &hints, &found);
    if (code)
        return err_note(ERR_INVALID, "page: %s is no address: %s", address, gai_strerror(code));
    if (found->ai_family == AF_INET6)
        flags |= MHD_USE_IPv6;
    errno = 0;
    dashboard->daemon =
        MHD_start_daemon(flags, (uint16_t)port, NULL, NULL, handle, dashboard, MHD_OPTION_SOCK_ADDR,
                         found->ai_addr, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MOST,
                         MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_MOST_S,
                         MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)REQUEST_BYTES_MOST, MHD_OPTION_END);
    if (!dashboard->daemon)
        err = err_note(ERR_IO, "cannot listen on %s for the page: %s; --page HOST:PORT sets another address",
                       address, errno ? strerror(errno) : "not possible");
    freeaddrinfo(found);
    if (err)
        return err;
    info = MHD_get_daemon_info(dashboard->daemon, MHD_DAEMON_INFO_BIND_PORT);
    dashboard->port = info ? info->port : port;
    return ERR_OK;
}

enum err dashboard_start(struct dashboard **out, const struct config *config, struct disk *disk,
                         struct sql_db *db)
{
    struct dashboard *dashboard = calloc(1, sizeof(*dashboard));
    enum err err = ERR_OK;

    if (!dashboard)
        return err_note(ERR_NO_MEMORY, "out of memory for the dashboard");
    dashboard->requests =
        metric_counter("pinrail_page_requests_total", "", "Requests that the dashboard has answered");
    err = page_open(&dashboard->page);
    if (!err)
        err = asker_open(&dashboard->asker, config, disk, db);
    if (!err)
        err = feed_start(&dashboard->feed, config, disk, db, dashboard->asker);
    if (!err)
        err = start_daemon(dashboard, config_text(config, "page"));
    if (err) {
        dashboard_stop(dashboard);
        return err;
    }
    *out = dashboard;
    return ERR_OK;
}

void dashboard_stop(struct dashboard *dashboard)
{
    if (!dashboard)
        return;
    if (dashboard->asker)
        asker_stop(dashboard->asker); /* so that nobody waits for a long question */
    if (dashboard->daemon)
        MHD_stop_daemon(dashboard->daemon);
    feed_stop(dashboard->feed);
    asker_close(dashboard->asker);
    page_close(dashboard->page);
    free(dashboard);
}

int dashboard_port(const struct dashboard *dashboard)
{
    return dashboard->port;
}
