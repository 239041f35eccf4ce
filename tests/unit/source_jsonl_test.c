/* A folder of JSON lines is merged by key. What could go wrong: a row is lost, given twice or under another key; the
 * last line without a newline is missed; a folder without pins is refused; broken lines or unsorted files pass
 * silently. How: small folders written here, and what comes out of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/parts.h"

static char folder[] = "/tmp/pinrail-jsonl-XXXXXX";

static void put(const char *name, const char *text)
{
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.jsonl", folder, name);
    if (!text) {
        unlink(path);
        return;
    }
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put_all(const char *pins, const char *geos, const char *users)
{
    put("pin", pins);
    put("geo", geos);
    put("user", users);
}

static enum err open_folder(struct source **out, enum source_order order)
{
    char url[128];
    struct source_options options = {url, order, COURSE_SEED, false};

    snprintf(url, sizeof(url), "file:%s", folder);
    return source_open(out, &options);
}

static void is_row(struct bytes row, const char *text)
{
    if (!text) {
        assert_null(row.at);
        return;
    }
    assert_int_equal(row.size, strlen(text));
    assert_memory_equal(row.at, text, row.size);
}

static void is_next(struct source *source, int64_t index, const char *pin, const char *geo, const char *user)
{
    struct post post;

    assert_int_equal(source_next(source, &post), ERR_OK);
    assert_int_equal(post.index, index);
    is_row(post.pin, pin);
    is_row(post.geo, geo);
    is_row(post.user, user);
}

static void rows_are_merged_by_key(void **state)
{
    struct source *source = NULL;
    struct post post;

    put_all("{\"index\": 2, \"title\": \"a\\nb\"}\n{\"title\":\"\xc3\xa9\",\"index\":9}\n",
            "{\"ind\":0}\n\n{\"ind\":2}\r\n{\"ind\":9}\n", "{\"ind\":2}\n{\"ind\":7}\n{\"ind\":9}");
    assert_int_equal(open_folder(&source, SOURCE_EACH_ONCE), ERR_OK);
    assert_int_equal(source_count(source), 4);
    is_next(source, 0, NULL, "{\"ind\":0}", NULL);
    is_next(source, 2, "{\"index\": 2, \"title\": \"a\\nb\"}", "{\"ind\":2}", "{\"ind\":2}");
    is_next(source, 7, NULL, NULL, "{\"ind\":7}");
    is_next(source, 9, "{\"title\":\"\xc3\xa9\",\"index\":9}", "{\"ind\":9}", "{\"ind\":9}");
    assert_int_equal(source_next(source, &post), ERR_END);
    assert_int_equal(source_next(source, &post), ERR_END);
    source_close(source);
}

/* Rows that stand there twice go out twice; a missing file is an empty one. */
static void repeated_keys_and_missing_files_pass(void **state)
{
    struct source *source = NULL;
    struct post post;

    put_all(NULL, "{\"ind\":1,\"n\":1}\n{\"ind\":1,\"n\":2}\n", "{\"ind\":1}\n");
    assert_int_equal(open_folder(&source, SOURCE_EACH_ONCE), ERR_OK);
    is_next(source, 1, NULL, "{\"ind\":1,\"n\":1}", "{\"ind\":1}");
    is_next(source, 1, NULL, "{\"ind\":1,\"n\":2}", NULL);
    assert_int_equal(source_next(source, &post), ERR_END);
    source_close(source);
}

/* The script's first draws are 7528, 2863, 5730; of a folder that has only the last two, these come. */
static void course_order_takes_what_is_there(void **state)
{
    struct source *source = NULL;

    put_all("{\"index\":2863}\n", "{\"ind\":2863}\n{\"ind\":5730}\n{\"ind\":20000}\n", NULL);
    assert_int_equal(open_folder(&source, SOURCE_COURSE), ERR_OK);
    assert_int_equal(source_count(source), -1);
    is_next(source, 2863, "{\"index\":2863}", "{\"ind\":2863}", NULL);
    is_next(source, 5730, NULL, "{\"ind\":5730}", NULL);
    source_close(source);
    put_all(NULL, "{\"ind\":20000}\n", NULL);
    assert_int_equal(open_folder(&source, SOURCE_COURSE), ERR_NOT_FOUND);
}

static void refused(const char *geos, enum err err, const char *said)
{
    struct source *source = NULL;

    put_all(NULL, geos, NULL);
    assert_int_equal(open_folder(&source, SOURCE_EACH_ONCE), err);
    if (!strstr(err_sentence(), said))
        fail_msg("\"%s\" does not say \"%s\"", err_sentence(), said);
}

static void broken_files_are_refused_with_their_line(void **state)
{
    refused("{\"ind\":1}\n{\"ind\":2\n", ERR_INVALID, "geo.jsonl:2:");
    refused("{\"ind\":1}\n{\"index\":2}\n", ERR_INVALID,
            "geo.jsonl:2: not an object with a whole number \"ind\"");
    refused("{\"ind\":\"1\"}\n", ERR_INVALID, "geo.jsonl:1:");
    refused("{\"ind\":-1}\n", ERR_INVALID, "geo.jsonl:1:");
    refused("[1]\n", ERR_INVALID, "geo.jsonl:1:");
    refused("{\"ind\":5}\n{\"ind\":4}\n", ERR_INVALID, "geo.jsonl:2: key 4 stands behind 5");
    refused(NULL, ERR_NOT_FOUND, "none of pin.jsonl");
}

/* A line longer than one read, and lines across the border of reads. */
static void long_lines_are_whole(void **state)
{
    enum { LONG = 700000 };
    char *text = malloc(LONG + 4096), *at = text;
    struct source *source = NULL;
    struct post post;

    assert_non_null(text);
    at += sprintf(at, "{\"ind\":1,\"a\":\"");
    memset(at, 'x', LONG);
    at += LONG;
    sprintf(at, "\"}\n{\"ind\":2}\n");
    put_all(NULL, text, NULL);
    assert_int_equal(open_folder(&source, SOURCE_EACH_ONCE), ERR_OK);
    assert_int_equal(source_next(source, &post), ERR_OK);
    assert_int_equal(post.geo.size, LONG + 16);
    is_next(source, 2, NULL, "{\"ind\":2}", NULL);
    source_close(source);
    free(text);
}

static int make_folder(void **state)
{
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    put_all(NULL, NULL, NULL);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_merged_by_key),
        cmocka_unit_test(repeated_keys_and_missing_files_pass),
        cmocka_unit_test(course_order_takes_what_is_there),
        cmocka_unit_test(broken_files_are_refused_with_their_line),
        cmocka_unit_test(long_lines_are_whole),
    };

    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
