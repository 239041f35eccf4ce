/* call.c - a request and its answer: taken from a pool, written to, parked, given back. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/http_door.h"

enum {
    SPARES_MOST = 256,
    KEPT_BYTES = 128 << 10, /* a larger buffer is not kept for the next request */
};

struct call *call_take(struct http_door *door, struct MHD_Connection *connection, const char *method)
{
    struct call *call = door->spare;

    if (call) {
        door->spare = call->next;
        door->spare_count--;
        call->next = NULL;
    } else {
        call = calloc(1, sizeof(*call));
        if (!call)
            return NULL;
        call->body = buf_init(door->body_most);
        call->reply = buf_init(CALL_REPLY_MOST);
        call->arena = arena_init(CALL_ARENA_MOST);
    }
    call->door = door;
    call->connection = connection;
    call->state = CALL_READING;
    call->method = strcmp(method, "HEAD") == 0 ? "GET" : method;
    return call;
}

static void keep_or_release(struct buf *buf)
{
    if (buf->room > KEPT_BYTES)
        buf_release(buf);
    buf_clear(buf);
}

static void put_waits(struct call *call)
{
    for (size_t i = 0; i < call->wait_count; i++)
        partition_put(call->waits[i].partition);
    call->waits = NULL;
    call->wait_count = call->wait_room = 0;
}

static void call_free(struct call *call)
{
    buf_release(&call->body);
    buf_release(&call->reply);
    free(call);
}

void call_put(struct call *call)
{
    struct http_door *door = call->door;
    struct buf body, reply;

    put_waits(call);
    arena_release(&call->arena);
    keep_or_release(&call->body);
    keep_or_release(&call->reply);
    if (door->spare_count == SPARES_MOST) {
        call_free(call);
        return;
    }
    body = call->body;
    reply = call->reply;
    memset(call, 0, sizeof(*call));
    call->body = body;
    call->reply = reply;
    call->arena = arena_init(CALL_ARENA_MOST);
    call->next = door->spare;
    door->spare = call;
    door->spare_count++;
}

void call_free_spares(struct http_door *door)
{
    while (door->spare) {
        struct call *call = door->spare;
        door->spare = call->next;
        call_free(call);
    }
    door->spare_count = 0;
}

const char *call_header(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_HEADER_KIND, name);
}

const char *call_query(const struct call *call, const char *name)
{
    return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

void call_answer(struct call *call, unsigned status, const char *type)
{
    buf_clear(&call->reply);
    call->reply_err = ERR_OK;
    call->status = status;
    call->type = type;
}

void call_add_header(struct call *call, const char *name, const char *value)
{
    assert(call->header_count < CALL_HEADERS_MOST);
    call->headers[call->header_count].name = name;
    call->headers[call->header_count++].value = value;
}

static void keep_error(struct call *call, enum err err)
{
    if (err && !call->reply_err)
        call->reply_err = err;
}

void say(struct call *call, const char *text)
{
    keep_error(call, buf_add_text(&call->reply, text));
}

void say_bytes(struct call *call, struct bytes bytes)
{
    keep_error(call, buf_add_bytes(&call->reply, bytes));
}

void say_integer(struct call *call, int64_t value)
{
    char text[24], *at = text + sizeof(text);
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;

    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (value < 0)
        *--at = '-';
    keep_error(call, buf_add(&call->reply, at, (size_t)(text + sizeof(text) - at)));
}

void say_quoted(struct call *call, struct bytes text)
{
    keep_error(call, json_quote(text, &call->reply));
}

void say_quoted_text(struct call *call, const char *text)
{
    say_quoted(call, bytes_of_text(text));
}

void say_base64(struct call *call, struct bytes bytes)
{
    say(call, "\"");
    keep_error(call, base64_encode(bytes, &call->reply));
    say(call, "\"");
}

void say_format(struct call *call, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&text, format, args);
    va_end(args);
    if (length < 0) {
        keep_error(call, ERR_NO_MEMORY);
        return;
    }
    say_bytes(call, bytes_of(text, (size_t)length));
    free(text);
}

enum err call_wait(struct call *call, struct partition *partition, int64_t end_offset)
{
    if (call->wait_count == call->wait_room) {
        size_t room = call->wait_room ? 2 * call->wait_room : 4;
        struct call_wait *waits = arena_take(&call->arena, room * sizeof(*waits));
        if (!waits) {
            partition_put(partition);
            return err_note(ERR_NO_MEMORY, "out of memory for a request over many partitions");
        }
        if (call->wait_count > 0)
            memcpy(waits, call->waits, call->wait_count * sizeof(*waits));
        call->waits = waits;
        call->wait_room = room;
    }
    call->waits[call->wait_count++] = (struct call_wait){partition, end_offset};
    return ERR_OK;
}

enum err call_settled(struct call *call)
{
    while (call->wait_count > 0) {
        struct call_wait *wait = &call->waits[call->wait_count - 1];
        enum err err = partition_settled(wait->partition, wait->end_offset);
        if (err == ERR_BUSY)
            return err;
        if (err && !call->settled)
            call->settled = err;
        partition_put(wait->partition);
        call->wait_count--;
    }
    return call->settled;
}
