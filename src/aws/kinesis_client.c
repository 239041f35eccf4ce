/* kinesis_client.c - calls to a Kinesis over one kept connection. */
#include "aws/kinesis_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "aws/kinesis_response.h"
#include "base/json.h"
#include "base/sequence.h"

enum {
    BODY_BYTES_MOST = 64 << 20, /* GetRecords gives 10 MiB of data at most, in base64 and with its keys */
    CONNECT_MS_MOST = 3000,
    CALL_MS_MOST = 30000,
};

struct kinesis_client {
    CURL *curl;
    char *region;
    struct buf request, response;
    struct kinesis_cut cut;
    char why[CURL_ERROR_SIZE];
};

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void start_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t on_body(char *at, size_t size, size_t count, void *arg)
{
    struct kinesis_client *client = arg;

    return buf_add(&client->response, at, size * count) ? 0 : size * count; /* 0 ends the transfer */
}

static bool is_loopback(const char *endpoint)
{
    const char *host = strstr(endpoint, "://");

    host = host ? host + 3 : endpoint;
    return strncmp(host, "127.", 4) == 0 || strncmp(host, "localhost", 9) == 0 ||
           strncmp(host, "[::1]", 5) == 0;
}

enum err kinesis_open(struct kinesis_client **out, const char *endpoint, const char *region)
{
    struct kinesis_client *client = calloc(1, sizeof(*client));
    enum err err = err_note(ERR_NO_MEMORY, "out of memory for a Kinesis client");

    pthread_once(&once, start_curl);
    if (!client)
        goto out;
    client->request = buf_init(64 << 10);
    client->response = buf_init(BODY_BYTES_MOST);
    client->cut = kinesis_cut_init();
    client->region = strdup(region);
    client->curl = curl_easy_init();
    if (!client->region || !client->curl)
        goto out;
    if (curl_easy_setopt(client->curl, CURLOPT_URL, endpoint) != CURLE_OK)
        goto out;
    curl_easy_setopt(client->curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS_MOST);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, (long)CALL_MS_MOST);
    curl_easy_setopt(client->curl, CURLOPT_BUFFERSIZE, 256L << 10);
    curl_easy_setopt(client->curl, CURLOPT_USERAGENT, "pinrail/" PINRAIL_VERSION);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, client);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->why);
    if (is_loopback(endpoint))
        curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
    *out = client;
    client = NULL;
    err = ERR_OK;
out:
    kinesis_close(client);
    return err;
}

void kinesis_close(struct kinesis_client *client)
{
    if (!client)
        return;
    curl_easy_cleanup(client->curl);
    buf_release(&client->request);
    buf_release(&client->response);
    kinesis_cut_release(&client->cut);
    free(client->region);
    free(client);
}

static struct curl_slist *add_header(struct curl_slist *headers, const char *line)
{
    struct curl_slist *grown = headers ? curl_slist_append(headers, line) : NULL;

    if (!grown)
        curl_slist_free_all(headers);
    return grown;
}

/* The headers of an AWS JSON 1.1 call. A Kinesis that verifies callers will not take this signature; ours only asks
 * that there is one. */
static struct curl_slist *make_headers(const struct kinesis_client *client, const char *operation)
{
    struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/x-amz-json-1.1");
    time_t now = time(NULL);
    char line[400], date[20];
    struct tm tm;

    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%Y%m%dT%H%M%SZ", &tm);
    snprintf(line, sizeof(line), "X-Amz-Target: Kinesis_20131202.%s", operation);
    headers = add_header(headers, line);
    snprintf(line, sizeof(line), "X-Amz-Date: %s", date);
    headers = add_header(headers, line);
    snprintf(line, sizeof(line),
             "Authorization: AWS4-HMAC-SHA256 Credential=pinrail/%.8s/%.40s/kinesis/aws4_request, "
             "SignedHeaders=content-type;host;x-amz-date;x-amz-target, Signature=%064d",
             date, client->region, 0);
    headers = add_header(headers, line);
    return add_header(headers, "Expect:");
}

/* Send client->request; the answer is in client->response. */
static enum err call(struct kinesis_client *client, const char *operation)
{
    struct curl_slist *headers = make_headers(client, operation);
    CURLcode code;
    long status = 0;

    if (!headers)
        return err_note(ERR_NO_MEMORY, "out of memory for a Kinesis call");
    buf_clear(&client->response);
    client->why[0] = '\0';
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)client->request.size);
    curl_easy_setopt(client->curl, CURLOPT_POSTFIELDS, client->request.at);
    code = curl_easy_perform(client->curl);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, NULL);
    curl_slist_free_all(headers);
    if (code == CURLE_WRITE_ERROR)
        return err_note(ERR_TOO_LARGE, "Kinesis answered %s with more than %d bytes", operation,
                        BODY_BYTES_MOST);
    if (code != CURLE_OK)
        return err_note(ERR_UNREACHABLE, "Kinesis cannot be reached: %s",
                        client->why[0] ? client->why : curl_easy_strerror(code));
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    return status == 200 ? ERR_OK : kinesis_cut_error(status, buf_bytes(&client->response));
}

enum err kinesis_ask(struct kinesis_client *client, const char *operation, struct bytes body,
                     struct buf *answer)
{
    enum err err;

    buf_clear(&client->request);
    err = buf_add_bytes(&client->request, body);
    if (!err)
        err = call(client, operation);
    return err ? err : buf_add_bytes(answer, buf_bytes(&client->response));
}

/* Begin the request with {"name":"value"; more members and the closing brace follow. */
static enum err begin(struct kinesis_client *client, const char *name, const char *value)
{
    enum err err;

    buf_clear(&client->request);
    err = buf_printf(&client->request, "{\"%s\":", name);
    return err ? err : json_quote(bytes_of_text(value), &client->request);
}

static enum err member(struct kinesis_client *client, const char *name, const char *value)
{
    enum err err = buf_printf(&client->request, ",\"%s\":", name);

    return err ? err : json_quote(bytes_of_text(value), &client->request);
}

/* What kinesis_cut_shards() found, as an array in the arena. */
static enum err give_shards(const struct buf *shards, size_t found, struct arena *arena,
                            struct kinesis_shard **out, size_t *count)
{
    char *at = arena_text(arena, buf_bytes(shards));
    struct kinesis_shard *list = arena_take(arena, (found ? found : 1) * sizeof(*list));

    if (!at || !list)
        return err_note(ERR_NO_MEMORY, "out of memory for the shards of a stream");
    for (size_t i = 0; i < found; i++) {
        list[i].id = at;
        at += strlen(at) + 1;
        list[i].start = at;
        at += strlen(at) + 1;
    }
    *out = list;
    *count = found;
    return ERR_OK;
}

enum err kinesis_shards(struct kinesis_client *client, const char *stream, struct arena *arena,
                        struct kinesis_shard **out, size_t *count)
{
    struct buf shards = buf_init(4 << 20), token = buf_init(64 << 10);
    size_t found = 0;
    enum err err = begin(client, "StreamName", stream);

    for (;;) {
        if (!err)
            err = buf_add_char(&client->request, '}');
        if (!err)
            err = call(client, "ListShards");
        if (!err)
            err = kinesis_cut_shards(buf_bytes(&client->response), &shards, &found, &token);
        if (err || token.size == 0)
            break;
        err = buf_text(&token) ? begin(client, "NextToken", (const char *)token.at) : ERR_NO_MEMORY;
    }
    if (!err)
        err = give_shards(&shards, found, arena, out, count);
    buf_release(&shards);
    buf_release(&token);
    return err;
}

enum err kinesis_iterator(struct kinesis_client *client, const char *stream, const char *shard,
                          const char *after, struct arena *arena, char **out)
{
    struct buf iterator = buf_init(64 << 10);
    enum err err = begin(client, "StreamName", stream);

    if (!err)
        err = member(client, "ShardId", shard);
    if (!err)
        err = member(client, "ShardIteratorType", after ? "AFTER_SEQUENCE_NUMBER" : "TRIM_HORIZON");
    if (!err && after)
        err = member(client, "StartingSequenceNumber", after);
    if (!err)
        err = buf_add_char(&client->request, '}');
    if (!err)
        err = call(client, "GetShardIterator");
    if (!err)
        err = kinesis_cut_iterator(buf_bytes(&client->response), &iterator);
    if (!err) {
        *out = arena_text(arena, buf_bytes(&iterator));
        err = *out ? ERR_OK : err_note(ERR_NO_MEMORY, "out of memory for a shard iterator");
    }
    buf_release(&iterator);
    return err;
}

enum err kinesis_get(struct kinesis_client *client, const char *iterator, int limit,
                     struct kinesis_records *out)
{
    enum err err = begin(client, "ShardIterator", iterator);

    if (!err)
        err = buf_printf(&client->request, ",\"Limit\":%d}", limit);
    if (!err)
        err = call(client, "GetRecords");
    if (!err)
        err = kinesis_cut_records(&client->cut, buf_bytes(&client->response));
    if (err)
        return err;
    out->next_iterator = (char *)(uintptr_t)buf_text(&client->cut.next_iterator);
    if (!out->next_iterator)
        return err_note(ERR_NO_MEMORY, "out of memory for a shard iterator");
    out->records = client->cut.records;
    out->count = client->cut.count;
    out->behind_ms = client->cut.behind_ms;
    return ERR_OK;
}

int64_t kinesis_offset_of(struct bytes sequence_number)
{
    int64_t offset;

    return sequence_parse(sequence_number, NULL, NULL, &offset) ? -1 : offset;
}
