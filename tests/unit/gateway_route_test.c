/* What could go wrong: a request handed to the wrong handler, a stage prefix taken for a topic or the other
 * way round, a document that tells of routes that are not there. How we look: paths and the handler each must
 * find; and the tables of docs/rest.md and docs/kinesis.md line by line against the tables the door
 * dispatches by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/http_door.h"
#include "gateway/kinesis.h"

#define CHECK(what) assert_true(what)

static handler *handler_of(const struct route *routes, const char *method, const char *path)
{
    for (; routes->method; routes++)
        if (strcmp(routes->method, method) == 0 && strcmp(routes->path, path) == 0)
            return routes->handle;
    return NULL;
}

static void paths_find_their_handlers(void **state)
{
    static const struct {
        const char *method, *path, *route;
        const struct route *table;
        const char *first;
    } cases[] = {
        {"GET", "/", "/", rest_routes, NULL},
        {"GET", "/topics", "/topics", rest_routes, NULL},
        {"GET", "/topics/", "/topics", rest_routes, NULL},
        {"POST", "/topics/demo.pin", "/topics/{topic}", rest_routes, "demo.pin"},
        {"POST", "/prod/topics/demo.pin", "/topics/{topic}", rest_routes, "demo.pin"},
        {"POST", "/topics/topics", "/topics/{topic}", rest_routes, "topics"},
        {"POST", "/topics/streams", "/topics/{topic}", rest_routes, "streams"},
        {"GET", "/streams/topics", "/streams/{stream}", stream_routes, "topics"},
        {"GET", "/test/topics", "/topics", rest_routes, NULL},
        {"POST", "/topics/t/partitions/1", "/topics/{topic}/partitions/{partition}", rest_routes, "t"},
        {"PUT", "/dev/streams/s/record", "/streams/{stream}/record", stream_routes, "s"},
        {"PUT", "/streams/s/records/", "/streams/{stream}/records", stream_routes, "s"},
        {"GET", "/streams", "/streams", stream_routes, NULL},
        {"GET", "/healthz", "/healthz", operate_routes, NULL},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct call call = {.method = cases[i].method};
        struct route_miss miss;
        handler *found = route_find(&call, cases[i].path, &miss);
        if (!found || found != handler_of(cases[i].table, cases[i].method, cases[i].route))
            fail_msg("%s %s", cases[i].method, cases[i].path);
        if (cases[i].first)
            CHECK(bytes_equal(call.at[0], bytes_of_text(cases[i].first)));
    }
}

static void misses_say_why(void **state)
{
    static const struct {
        const char *method, *path;
        bool gateway;
        const char *allowed;
    } cases[] = {
        {"GET", "/nothing", false, ""},
        {"DELETE", "/topics/t", false, "GET,POST"},
        {"GET", "/a/b/c/d/e/f/g/h/i/j/k", false, ""},
        {"POST", "/a/b/c/d/e/f/g/h/i/j/k", false, ""},
        {"GET", "/streams/s/nothing", true, ""},
        {"PATCH", "/streams/s", true, "GET,POST,DELETE"},
        {"GET", "/prod/topics/t/x/y", true, ""},
        {"POST", "/consumers/group", false, ""},
        {"GET", "/a/b/topics", false, ""},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct call call = {.method = cases[i].method};
        struct route_miss miss;
        if (route_find(&call, cases[i].path, &miss) || miss.gateway != cases[i].gateway ||
            strcmp(miss.allowed, cases[i].allowed) != 0)
            fail_msg("%s %s: %d %s", cases[i].method, cases[i].path, miss.gateway, miss.allowed);
    }
}

/* How many table rows of the document hold `row`; and how many begin with "| `" and another cell of that
 * form. */
static int rows(const char *document, const char *row)
{
    int count = 0;

    for (const char *at = document; (at = strstr(at, row)); at++)
        count += at == document || at[-1] == '\n';
    return count;
}

static char *read_document(const char *name)
{
    static char text[64 << 10];
    char path[1024];
    size_t size;
    FILE *file;

    snprintf(path, sizeof(path), SOURCE_DIR "/docs/%s", name);
    file = fopen(path, "r");
    if (!file)
        fail_msg("%s is missing", path);
    size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = 0;
    fclose(file);
    return text;
}

static int documented(const char *document, const struct route *routes)
{
    int count = 0;

    for (; routes->method; routes++, count++) {
        char row[200];
        snprintf(row, sizeof(row), "| `%s %s` |", routes->method, routes->path);
        if (rows(document, row) != 1)
            fail_msg("not documented once: %s", row);
    }
    return count;
}

static void documents_agree_with_the_tables(void **state)
{
    const char *document = read_document("rest.md");
    int count = documented(document, rest_routes) + documented(document, operate_routes);

    if (rows(document, "| `") != count)
        fail_msg("docs/rest.md has %d rows, the door answers %d", rows(document, "| `"), count);
    document = read_document("kinesis.md");
    count = documented(document, stream_routes);
    for (const struct kinesis_operation *operation = kinesis_operations; operation->name;
         operation++, count++) {
        char row[200];
        snprintf(row, sizeof(row), "| `%s` |", operation->name);
        if (rows(document, row) != 1)
            fail_msg("not documented once: %s", row);
    }
    if (rows(document, "| `") != count)
        fail_msg("docs/kinesis.md has %d rows, the door answers %d", rows(document, "| `"), count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_find_their_handlers),
        cmocka_unit_test(misses_say_why),
        cmocka_unit_test(documents_agree_with_the_tables),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
