/* Any JSON object: members are taken and checked, and what is wrong is said as JSON. */
#include <stdlib.h>

#include "gateway/kinesis.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static const char *const types[] = {"LATEST", "TRIM_HORIZON", NULL};
    static const struct member members[] = {
        MEMBERS_OF_STREAM,
        {"Limit", MEMBER_INTEGER, false, NULL, NULL, NULL, 1, 10000},
        {"Type", MEMBER_STRING, true, NULL, NULL, types, 0, 0},
        {"Data", MEMBER_BLOB, false, NULL, NULL, NULL, 0, 3},
        {"Timestamp", MEMBER_TIMESTAMP, false, NULL, NULL, NULL, 0, 0},
        {"Records", MEMBER_LIST, false, NULL, NULL, NULL, 1, 3},
        {NULL, MEMBER_STRING, false, NULL, NULL, NULL, 0, 0},
    };
    struct http_door door = {0};
    struct call call = {.door = &door, .reply = buf_init(1 << 22), .arena = arena_init(1 << 22)};
    struct kinesis kinesis = {.call = &call};
    struct json_value answer;

    door.scratch.text = buf_init(1 << 22);
    if (!json_check(bytes_of(at, size), &kinesis.body, NULL) && kinesis.body.kind == JSON_OBJECT &&
        !buf_reserve(&door.scratch.text, size) && !kinesis_take(&kinesis, members) &&
        (call.reply_err || json_check(buf_bytes(&call.reply), &answer, NULL) || answer.kind != JSON_OBJECT))
        abort();
    buf_release(&door.scratch.text);
    buf_release(&call.reply);
    arena_release(&call.arena);
    return 0;
}
