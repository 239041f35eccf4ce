/* Any method and path: a handler or a reason, and views that lie inside the path. */
#include <stdlib.h>

#include "gateway/http_door.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "PUT", "DELETE", "PATCH", ""};
    struct call call = {.method = methods[size > 0 ? at[0] % 6 : 0]};
    struct route_miss miss;
    char *path = malloc(size + 1);

    if (!path)
        return 0;
    memcpy(path, at, size);
    path[size] = 0;
    (void)route_find(&call, path, &miss);
    if (call.segment_count > PATH_SEGMENTS_MOST || memchr(miss.allowed, 0, sizeof(miss.allowed)) == NULL)
        abort();
    for (size_t i = 0; i < call.segment_count; i++)
        if (call.segments[i].at < (uint8_t *)path ||
            call.segments[i].at + call.segments[i].size > (uint8_t *)path + size)
            abort();
    free(path);
    return 0;
}
