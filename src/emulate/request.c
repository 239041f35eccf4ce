/* request.c - bodies as the course's scripts send them, and the answers of REST Proxy and Kinesis.
 *
 *     batch      {"records":[{"value":ROW},...]}
 *     /record    {"StreamName":"...","Data":ROW,"PartitionKey":"INDEX"}
 *     /records   {"records":[{"data":"ROW as text","partition-key":"INDEX"},...]}
 *
 * The partition key is the post's index, so a post's rows keep to one shard and posts spread over all. */
#include "emulate/request.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/json.h"

void request_init(struct request *request)
{
    *request = (struct request){.text = buf_init(REQUEST_BODY_MOST), .body = buf_init(REQUEST_BODY_MOST)};
}

void request_release(struct request *request)
{
    buf_release(&request->text);
    buf_release(&request->body);
    free(request->rows);
    request->rows = NULL;
}

void request_clear(struct request *request)
{
    buf_clear(&request->text);
    request->count = 0;
}

enum err request_add(struct request *request, int64_t index, struct bytes row)
{
    size_t at = request->text.size;
    enum err err;

    if (request->count == request->room) {
        size_t room = request->room ? request->room * 2 : 16;
        struct request_row *rows = realloc(request->rows, room * sizeof(*rows));
        if (!rows)
            return err_note(ERR_NO_MEMORY, "no memory for %zu rows", room);
        request->rows = rows;
        request->room = room;
    }
    err = buf_add_bytes(&request->text, row);
    if (!err)
        request->rows[request->count++] = (struct request_row){index, at, row.size};
    return err;
}

static enum err render_row(struct request *request, const struct request_row *row, enum emulate_mode mode)
{
    struct bytes text = bytes_of(request->text.at + row->at, row->size);
    struct buf *body = &request->body;
    enum err err;

    if (mode == EMULATE_BATCH) {
        err = buf_add_text(body, "{\"value\":");
        if (!err)
            err = buf_add_bytes(body, text);
        return err ? err : buf_add_char(body, '}');
    }
    err = buf_add_text(body, "{\"data\":");
    if (!err)
        err = json_quote(text, body);
    return err ? err : buf_printf(body, ",\"partition-key\":\"%lld\"}", (long long)row->index);
}

static enum err render_single(struct request *request, const char *stream)
{
    const struct request_row *row = &request->rows[0];
    struct buf *body = &request->body;
    enum err err = buf_add_text(body, "{\"StreamName\":");

    if (!err)
        err = json_quote(bytes_of_text(stream), body);
    if (!err)
        err = buf_add_text(body, ",\"Data\":");
    if (!err)
        err = buf_add(body, request->text.at + row->at, row->size);
    return err ? err : buf_printf(body, ",\"PartitionKey\":\"%lld\"}", (long long)row->index);
}

enum err request_render(struct request *request, enum emulate_mode mode, bool single, const char *stream)
{
    enum err err;

    buf_clear(&request->body);
    if (single)
        return render_single(request, stream);
    err = buf_add_text(&request->body, "{\"records\":[");
    for (size_t i = 0; i < request->count && !err; i++) {
        if (i > 0)
            err = buf_add_char(&request->body, ',');
        if (!err)
            err = render_row(request, &request->rows[i], mode);
    }
    return err ? err : buf_add_text(&request->body, "]}");
}

/* ---- answers ---- */

/* A string member as C text, cut to the room there is; "" if there is none. */
static void text_member(struct json_value object, const char *name, char *out, size_t room)
{
    struct buf text = buf_init(64 * 1024);
    struct json_value value;

    *out = 0;
    if (object.kind == JSON_OBJECT && !json_member(object, name, &value) && value.kind == JSON_STRING &&
        !json_text(value, &text))
        snprintf(out, room, "%.*s", (int)text.size, (const char *)text.at);
    buf_release(&text);
}

static bool is_throttling(const char *type)
{
    static const char *const types[] = {"ProvisionedThroughputExceededException",
                                        "LimitExceededException",
                                        "ThrottlingException",
                                        "InternalFailure",
                                        "ServiceUnavailable",
                                        "KMSThrottlingException"};

    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (strstr(type, types[i]))
            return true;
    return false;
}

/* What the door says of the whole request, as it says it. */
static enum verdict judge_error(long status, struct json_value body, struct bytes answer, char why[WHY_ROOM])
{
    char type[128], message[WHY_ROOM - 64];

    text_member(body, "__type", type, sizeof(type));
    text_member(body, "message", message, sizeof(message));
    if (!*message)
        text_member(body, "Message", message, sizeof(message));
    if (!*message && answer.size > 0 && bytes_are_utf8(answer))
        snprintf(message, sizeof(message), "%.*s", answer.size < 200 ? (int)answer.size : 200,
                 (const char *)answer.at);
    snprintf(why, WHY_ROOM, "status %ld%s%s", status, *message ? ": " : "", message);
    return status >= 500 || status == 429 || status == 408 || is_throttling(type) ? VERDICT_AGAIN
                                                                                  : VERDICT_REFUSED;
}

/* One element of `offsets`. Codes of REST Proxy v2: 50003 is a Kafka error that may pass. */
static enum verdict judge_offset(struct json_value element, char why[WHY_ROOM])
{
    char message[WHY_ROOM - 64];
    struct json_value code;
    int64_t number = 0;

    if (element.kind != JSON_OBJECT || json_member(element, "error_code", &code) || code.kind == JSON_NULL)
        return VERDICT_TAKEN;
    if (code.kind != JSON_NUMBER || json_int64(code, &number))
        number = -1;
    if (number == 0)
        return VERDICT_TAKEN;
    text_member(element, "error", message, sizeof(message));
    snprintf(why, WHY_ROOM, "error code %lld%s%s", (long long)number, *message ? ": " : "", message);
    return number == 50003 ? VERDICT_AGAIN : VERDICT_REFUSED;
}

/* One element of PutRecords' `Records`. */
static enum verdict judge_record(struct json_value element, char why[WHY_ROOM])
{
    char code[128], message[WHY_ROOM - 160];

    text_member(element, "ErrorCode", code, sizeof(code));
    if (!*code)
        return VERDICT_TAKEN;
    text_member(element, "ErrorMessage", message, sizeof(message));
    snprintf(why, WHY_ROOM, "%s: %s", code, message);
    return is_throttling(code) ? VERDICT_AGAIN : VERDICT_REFUSED;
}

/* Go over rows and their places in the answer side by side; what was not taken stays in the request. */
static enum verdict judge_rows(struct request *request, struct json_value list, enum emulate_mode mode,
                               char why[WHY_ROOM])
{
    struct json_walk walk = json_walk(list);
    enum verdict verdict = VERDICT_TAKEN;
    struct json_value element;
    size_t seen = 0, kept = 0;

    while (!json_walk_next(&walk, NULL, &element)) {
        char reason[WHY_ROOM] = "";
        enum verdict one =
            mode == EMULATE_BATCH ? judge_offset(element, reason) : judge_record(element, reason);
        if (seen == request->count)
            break;
        if (one > verdict) {
            verdict = one;
            memcpy(why, reason, WHY_ROOM);
        }
        if (one != VERDICT_TAKEN)
            request->rows[kept++] = request->rows[seen];
        seen++;
    }
    if (seen != request->count) {
        snprintf(why, WHY_ROOM, "the answer speaks of %zu rows, not of the %zu sent", seen, request->count);
        return VERDICT_REFUSED;
    }
    request->count = kept;
    return verdict;
}

enum verdict request_judge(struct request *request, enum emulate_mode mode, bool single, long status,
                           struct bytes answer, char why[WHY_ROOM])
{
    struct json_value body = {.kind = JSON_NULL}, list;
    bool is_json = !json_check(answer, &body, NULL);

    if (!is_json)
        body.kind = JSON_NULL;
    if (status < 200 || status >= 300)
        return judge_error(status, body, answer, why);
    if (body.kind == JSON_OBJECT && !json_member(body, "__type", &list)) /* a gateway may answer 200 to all */
        return judge_error(400, body, answer, why);
    if (single) {
        if (body.kind == JSON_OBJECT && !json_member(body, "SequenceNumber", &list)) {
            request->count = 0;
            return VERDICT_TAKEN;
        }
    } else if (body.kind == JSON_OBJECT &&
               !json_member(body, mode == EMULATE_BATCH ? "offsets" : "Records", &list) &&
               list.kind == JSON_ARRAY) {
        return judge_rows(request, list, mode, why);
    }
    snprintf(why, WHY_ROOM, "status %ld, but no answer of %s: is this the right URL?", status,
             mode == EMULATE_BATCH ? "a REST Proxy" : "Kinesis");
    return VERDICT_REFUSED;
}
