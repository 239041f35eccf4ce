/* What could go wrong: a path reaches something that is no file of the page; a browser gets a type that it will not run; the
 * gzipped form is not the file; two forms share an ETag, so that a cache mixes them. How we look: every file that is
 * built in is asked for in both forms and unpacked again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <zlib.h>

#include <cmocka.h>

#include "base/embedded.h"
#include "dashboard/page.h"

#define CHECK(what) assert_true(what)

static struct page *page;

static int open_page(void **state)
{
    return page_open(&page);
}

static int close_page(void **state)
{
    page_close(page);
    return 0;
}

static void the_page_is_built_in(void **state)
{
    const char *const wanted[][2] = {
        {"/", "text/html; charset=utf-8"},
        {"/index.html", "text/html; charset=utf-8"},
        {"/app.js", "text/javascript; charset=utf-8"},
        {"/style.css", "text/css; charset=utf-8"},
        {"/icon.svg", "image/svg+xml"},
    };

    for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++) {
        struct page_file file;
        CHECK(page_find(page, wanted[i][0], false, &file) == ERR_OK);
        CHECK(strcmp(file.content_type, wanted[i][1]) == 0 && file.bytes.size > 0 && !file.gzipped);
    }
}

static void gzip_holds_the_same_file(void **state)
{
    for (const struct embedded_file *one = embedded_files; one->name; one++) {
        struct page_file plain, packed;
        uint8_t *unpacked;
        z_stream stream = {0};
        if (strncmp(one->name, "web/", 4) != 0)
            continue;
        CHECK(page_find(page, one->name + 3, false, &plain) == ERR_OK);
        CHECK(page_find(page, one->name + 3, true, &packed) == ERR_OK);
        CHECK(plain.bytes.size == one->size && memcmp(plain.bytes.at, one->at, one->size) == 0);
        if (!packed.gzipped)
            continue;
        CHECK(packed.bytes.size < plain.bytes.size && strcmp(plain.etag, packed.etag) != 0);
        unpacked = malloc(one->size + 1);
        CHECK(unpacked && inflateInit2(&stream, 15 + 16) == Z_OK);
        stream.next_in = (Bytef *)packed.bytes.at;
        stream.avail_in = (uInt)packed.bytes.size;
        stream.next_out = unpacked;
        stream.avail_out = (uInt)one->size + 1;
        CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.total_out == one->size);
        CHECK(memcmp(unpacked, one->at, one->size) == 0);
        inflateEnd(&stream);
        free(unpacked);
    }
}

static void other_paths_lead_nowhere(void **state)
{
    const char *const paths[] = {
        "",       "/nothing", "/../sql/clean/pin.sql", "/app.js/",     "//app.js",
        "app.js", "/APP.JS",  "/web/app.js",           "/style.css?x",
    };
    char lengthy[4096];
    struct page_file file;

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        CHECK(page_find(page, paths[i], true, &file) == ERR_NOT_FOUND);
    for (size_t size = 2; size < 200; size++) {
        memset(lengthy, 'a', size);
        lengthy[0] = '/';
        lengthy[size] = 0;
        CHECK(page_find(page, lengthy, true, &file) == ERR_NOT_FOUND);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_is_built_in),
        cmocka_unit_test(gzip_holds_the_same_file),
        cmocka_unit_test(other_paths_lead_nowhere),
    };

    return cmocka_run_group_tests(tests, open_page, close_page);
}
