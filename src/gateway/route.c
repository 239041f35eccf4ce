/* route.c - from method and path to the handler. */
#include <stdlib.h>

#include "gateway/http_door.h"

/* Cut the path at its slashes; slashes at its end do not count. False: too many segments for any route. */
static bool cut_path(struct call *call, const char *path)
{
    call->segment_count = 0;
    while (*path) {
        size_t length;
        while (*path == '/')
            path++;
        length = strcspn(path, "/");
        if (length == 0)
            break;
        if (call->segment_count == PATH_SEGMENTS_MOST)
            return false;
        call->segments[call->segment_count++] = bytes_of(path, length);
        path += length;
    }
    return true;
}

static bool segment_is(const struct call *call, size_t index, const char *text)
{
    return index < call->segment_count && bytes_equal(call->segments[index], bytes_of_text(text));
}

/* An API Gateway has its stage before the path (/prod/topics/...). It may have any name, so the first segment
 * is one if a resource of ours stands behind it and none where it stands. */
static bool take_stage_off(struct call *call)
{
    if (segment_is(call, 0, "topics") || segment_is(call, 0, "streams") || segment_is(call, 0, "consumers") ||
        (!segment_is(call, 1, "topics") && !segment_is(call, 1, "streams")))
        return false;
    call->segment_count--;
    memmove(call->segments, call->segments + 1, call->segment_count * sizeof(*call->segments));
    return true;
}

static bool route_fits(struct call *call, const char *path)
{
    size_t index = 0, taken = 0;

    while (*path) {
        size_t length;
        if (*path == '/')
            path++;
        length = strcspn(path, "/");
        if (length == 0)
            break;
        if (index == call->segment_count)
            return false;
        if (*path == '{')
            call->at[taken++] = call->segments[index];
        else if (!bytes_equal(call->segments[index], bytes_of(path, length)))
            return false;
        index++;
        path += length;
    }
    return index == call->segment_count;
}

handler *route_find(struct call *call, const char *path, struct route_miss *miss)
{
    static const struct route *const tables[] = {rest_routes, stream_routes, operate_routes};
    size_t used = 0;

    *miss = (struct route_miss){0};
    if (!cut_path(call, path))
        return NULL;
    miss->gateway = take_stage_off(call) || segment_is(call, 0, "streams");
    if (call->segment_count == 0 && strcmp(call->method, "POST") == 0)
        return kinesis_call;
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        for (const struct route *route = tables[i]; route->method; route++) {
            size_t length = strlen(route->method);
            if (!route_fits(call, route->path))
                continue;
            if (strcmp(route->method, call->method) == 0)
                return route->handle;
            if (used + length + 3 <= sizeof(miss->allowed)) {
                if (used > 0)
                    miss->allowed[used++] = ',';
                memcpy(miss->allowed + used, route->method, length + 1);
                used += length;
            }
        }
    return NULL;
}

void route_call(struct call *call)
{
    struct route_miss miss;
    handler *handle;

    if (call_header(call, "X-Amz-Target")) { /* the Kinesis API does not look at the path */
        kinesis_call(call);
        return;
    }
    handle = route_find(call, call->path, &miss);
    if (handle) {
        handle(call);
    } else if (miss.gateway) {
        streams_no_route(call);
    } else if (miss.allowed[0]) {
        rest_error(call, 405, "%s is not allowed for %s: use %s", call->method, call->path, miss.allowed);
        call_add_header(call, "Allow", arena_text(&call->arena, bytes_of_text(miss.allowed)));
    } else if (segment_is(call, 0, "consumers")) {
        rest_error(
            call, 404,
            "consumer instances are not served by this version: read with a Kafka client, `pinrail tail`, or "
            "Kinesis GetRecords");
    } else {
        rest_error(
            call, 404,
            "nothing is served at %s: topics are at /topics, streams at /streams, the Kinesis API at POST /",
            call->path);
    }
}
