/* kinesis.c - the Kinesis API's transport: headers, errors, the order of checks, the table of operations.
 *
 * Signatures are not verified yet: a call that carries none is taken from loopback addresses only, one that
 * carries a malformed one is refused as the service does. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "gateway/kinesis.h"

static const char json_type[] = "application/x-amz-json-1.1";
static const char service[] = "Kinesis_20131202.";

const struct kinesis_operation kinesis_operations[] = {
    {"PutRecord", kinesis_put_record},
    {"PutRecords", kinesis_put_records},
    {"GetRecords", kinesis_get_records},
    {"GetShardIterator", kinesis_get_shard_iterator},
    {"CreateStream", kinesis_create_stream},
    {"DeleteStream", kinesis_delete_stream},
    {"ListStreams", kinesis_list_streams},
    {"DescribeStream", kinesis_describe_stream},
    {"DescribeStreamSummary", kinesis_describe_stream_summary},
    {"ListShards", kinesis_list_shards},
    {NULL, NULL},
};

const char *kinesis_account(const struct call *call)
{
    return config_text(call->door->config, "kinesis.account");
}

/* ---- answers ---- */

void kinesis_answer(struct call *call)
{
    call_answer(call, 200, call->type ? call->type : json_type);
}

void kinesis_error(struct call *call, const char *type, const char *format, ...)
{
    char *sentence = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&sentence, format, args);
    va_end(args);
    kinesis_answer(call);
    call->status = strcmp(type, "InternalFailure") == 0 ? 500 : 400;
    say(call, "{\"__type\":");
    say_quoted_text(call, type);
    say(call, ",\"message\":");
    say_quoted_text(call, length >= 0 ? sentence : type);
    say(call, "}");
    if (length >= 0)
        free(sentence);
}

void kinesis_fail(struct call *call, enum err err)
{
    kinesis_error(call, "InternalFailure", "%s", err_sentence()[0] ? err_sentence() : err_name(err));
}

/* Every answer names its request. The bytes only need to differ. */
static uint64_t mixed(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9;
    x ^= x >> 27;
    x *= 0x94d049bb133111eb;
    return x ^ x >> 31;
}

static void add_request_ids(struct call *call)
{
    struct http_door *door = call->door;
    uint64_t seed = get_u64(door->secret) + ++door->request_count * 0x9e3779b97f4a7c15;
    struct buf text = buf_init(200);
    uint8_t bytes[72];
    uint64_t a = mixed(seed), b = mixed(seed + 1);
    const char *id, *id2 = NULL;

    id = arena_printf(&call->arena, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32),
                      (unsigned)(a >> 16 & 0xffff), (unsigned)(a & 0xfff),
                      (unsigned)(b >> 48 & 0x3fff) | 0x8000, (unsigned long long)(b & 0xffffffffffff));
    for (size_t i = 0; i < sizeof(bytes); i += 8)
        put_u64(bytes + i, mixed(seed + 2 + i));
    if (!base64_encode(bytes_of(bytes, sizeof(bytes)), &text))
        id2 = arena_text(&call->arena, buf_bytes(&text));
    buf_release(&text);
    if (id && id2) {
        call_add_header(call, "x-amzn-RequestId", id);
        call_add_header(call, "x-amz-id-2", id2);
    }
}

static void xml_error(struct call *call, unsigned status, const char *type, const char *sentence)
{
    call_answer(call, status, NULL);
    say_format(call, "<%s>\n  <Message>%s</Message>\n</%s>\n", type, sentence, type);
}

/* ---- checks before the operation ---- */

/* A browser asks first whether it may. False: that was all it asked. */
static bool check_origin(struct call *call)
{
    const char *asked;

    if (!call_header(call, "Origin"))
        return true;
    call_add_header(call, "Access-Control-Allow-Origin", "*");
    if (strcmp(call->method, "OPTIONS") != 0) {
        call_add_header(
            call, "Access-Control-Expose-Headers",
            "x-amzn-RequestId,x-amzn-ErrorType,x-amz-request-id,x-amz-id-2,x-amzn-ErrorMessage,Date");
        return true;
    }
    call_answer(call, 200, NULL);
    asked = call_header(call, "Access-Control-Request-Headers");
    if (asked)
        call_add_header(call, "Access-Control-Allow-Headers", arena_text(&call->arena, bytes_of_text(asked)));
    asked = call_header(call, "Access-Control-Request-Method");
    if (asked)
        call_add_header(call, "Access-Control-Allow-Methods", arena_text(&call->arena, bytes_of_text(asked)));
    call_add_header(call, "Access-Control-Max-Age", "172800");
    return false;
}

static bool type_is(const char *header, const char *type)
{
    size_t length = strlen(type);

    return strncasecmp(header, type, length) == 0 && strchr("; \t", header[length]);
}

static const struct kinesis_operation *find_operation(const char *target)
{
    if (!target || strncmp(target, service, sizeof(service) - 1) != 0)
        return NULL;
    for (const struct kinesis_operation *operation = kinesis_operations; operation->name; operation++)
        if (strcmp(operation->name, target + sizeof(service) - 1) == 0)
            return operation;
    return NULL;
}

static bool check_content(struct call *call)
{
    const char *type = call_header(call, "Content-Type");
    const char *target = call_header(call, "X-Amz-Target");

    if (type && type_is(type, "application/x-amz-cbor-1.1")) {
        kinesis_error(call, "SerializationException",
                      "CBOR is not spoken by this version: send application/x-amz-json-1.1 (Java SDK: "
                      "AWS_CBOR_DISABLE=true)");
        call->status = 415;
        return false;
    }
    if (type && (type_is(type, json_type) || type_is(type, "application/json"))) {
        if (call->body.size > 0)
            return true;
        kinesis_error(call, find_operation(target) ? "SerializationException" : "UnknownOperationException",
                      "the request has no body: send a JSON object, {} at least");
        return false;
    }
    if (!target)
        xml_error(call, 403, "AccessDeniedException",
                  "Unable to determine service/operation name to be authorized");
    else
        xml_error(call, 404, "UnknownOperationException", "Content-Type must be application/x-amz-json-1.1");
    return false;
}

static bool from_loopback(const struct call *call)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!info || !info->client_addr)
        return false;
    if (info->client_addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const void *)info->client_addr;
        return IN6_IS_ADDR_LOOPBACK(&six->sin6_addr) ||
               (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr) && six->sin6_addr.s6_addr[12] == 127);
    }
    return info->client_addr->sa_family == AF_INET &&
           (ntohl(((const struct sockaddr_in *)(const void *)info->client_addr)->sin_addr.s_addr) >> 24) ==
               127;
}

/* Is a signature there in the form it must have? Whether it is right is not looked at yet. */
static bool check_auth(struct call *call)
{
    static const char *const in_header[] = {"Credential", "Signature", "SignedHeaders"};
    static const char *const in_query[] = {"X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Signature",
                                           "X-Amz-SignedHeaders", "X-Amz-Date"};
    const char *header = call_header(call, "Authorization");
    bool query = call_query(call, "X-Amz-Algorithm") != NULL;
    struct buf missing = buf_init(16 << 10);

    if (header && query) {
        kinesis_error(
            call, "InvalidSignatureException",
            "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header.");
        return false;
    }
    if (!header && !query) {
        if (from_loopback(call))
            return true;
        kinesis_error(call, "MissingAuthenticationTokenException", "Missing Authentication Token");
        return false;
    }
    for (size_t i = 0; header && i < sizeof(in_header) / sizeof(*in_header); i++) {
        char name[32];
        snprintf(name, sizeof(name), "%s=", in_header[i]);
        if (!strstr(header, name))
            (void)buf_printf(&missing, "Authorization header requires '%s' parameter. ", in_header[i]);
    }
    if (header && !call_header(call, "X-Amz-Date") && !call_header(call, "Date"))
        (void)buf_add_text(
            &missing,
            "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ");
    for (size_t i = 0; query && i < sizeof(in_query) / sizeof(*in_query); i++)
        if (!call_query(call, in_query[i]))
            (void)buf_printf(&missing, "AWS query-string parameters must include '%s'. ", in_query[i]);
    if (missing.size == 0)
        return true;
    if (header)
        kinesis_error(call, "IncompleteSignatureException", "%sAuthorization=%.*s", buf_text(&missing), 200,
                      header);
    else
        kinesis_error(call, "IncompleteSignatureException", "%sRe-examine the query-string parameters.",
                      buf_text(&missing));
    buf_release(&missing);
    return false;
}

/* ---- running ---- */

/* Make scratch.text ready: nothing in it moves before it holds more than `text_bytes`. */
static bool reserve_text(struct call *call, size_t text_bytes)
{
    call->fail = kinesis_fail;
    buf_clear(&call->door->scratch.text);
    if (!buf_reserve(&call->door->scratch.text, text_bytes))
        return true;
    kinesis_fail(call, ERR_NO_MEMORY);
    return false;
}

bool kinesis_begin(struct kinesis *kinesis, struct call *call, size_t text_bytes)
{
    *kinesis = (struct kinesis){.call = call};
    add_request_ids(call);
    return reserve_text(call, text_bytes);
}

static void run(struct kinesis *kinesis, const struct kinesis_operation *operation)
{
    if (reserve_text(kinesis->call, kinesis->body.bytes.size))
        operation->handle(kinesis);
}

void kinesis_run(struct call *call, const char *operation, struct bytes input)
{
    struct kinesis kinesis = {.call = call};

    add_request_ids(call);
    if (json_check(input, &kinesis.body, NULL)) {
        kinesis_error(call, "SerializationException", "%s", err_sentence());
        return;
    }
    for (const struct kinesis_operation *each = kinesis_operations; each->name; each++)
        if (strcmp(each->name, operation) == 0)
            run(&kinesis, each);
}

void kinesis_call(struct call *call)
{
    const char *target = call_header(call, "X-Amz-Target");
    const struct kinesis_operation *operation = find_operation(target);
    struct kinesis kinesis = {.call = call};

    add_request_ids(call);
    if (!check_origin(call))
        return;
    if (strcmp(call->method, "POST") != 0) {
        xml_error(call, 403, "AccessDeniedException",
                  "Unable to determine service/operation name to be authorized");
        return;
    }
    if (!check_content(call))
        return;
    if (json_check(buf_bytes(&call->body), &kinesis.body, NULL) || kinesis.body.kind != JSON_OBJECT) {
        kinesis_error(call, "SerializationException", "the request body is %s",
                      kinesis.body.bytes.at ? "no JSON object" : err_sentence());
        return;
    }
    if (!operation) {
        kinesis_error(
            call, "UnknownOperationException",
            "%s is not answered here: docs/kinesis.md lists the operations, each as X-Amz-Target: %sNAME",
            target ? target : "a request without X-Amz-Target", service);
        return;
    }
    if (check_auth(call))
        run(&kinesis, operation);
}

bool kinesis_stream(struct kinesis *kinesis)
{
    static const char resource[] = ":stream/";
    struct call *call = kinesis->call;
    struct bytes name = kinesis->inputs[0].bytes;
    enum err err = ERR_NOT_FOUND;

    if (kinesis->inputs[1].given) {
        struct bytes arn = kinesis->inputs[1].bytes;
        const uint8_t *at = memmem(arn.at, arn.size, resource, sizeof(resource) - 1);
        if (arn.size < 16 || memcmp(arn.at, "arn:aws", 7) != 0 || !at) {
            kinesis_error(call, "InvalidArgumentException",
                          "StreamARN must be of the form arn:aws:kinesis:REGION:ACCOUNT:stream/NAME");
            return false;
        }
        at += sizeof(resource) - 1;
        name = bytes_of(at, (size_t)(arn.at + arn.size - at));
    }
    if (name.size <= STREAM_NAME_MOST && topic_name_is_valid(name)) {
        memcpy(kinesis->stream, name.at, name.size);
        kinesis->stream[name.size] = 0;
        err = log_topic_find(call->door->log, kinesis->stream, &call->arena, &kinesis->topic);
    }
    if (err && err != ERR_NOT_FOUND)
        kinesis_fail(call, err);
    else if (err || kinesis->topic.internal)
        kinesis_error(call, "ResourceNotFoundException", "Stream %.*s under account %s not found.",
                      (int)name.size, (const char *)name.at, kinesis_account(call));
    return !err && !kinesis->topic.internal;
}
