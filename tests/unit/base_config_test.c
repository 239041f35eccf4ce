/* Settings come from four places, and a slip in any of them must be said with its place. What could go wrong: the
 * wrong place wins, a bad value is taken, a variable is not replaced, nested keys are not joined. How: write files,
 * set variables, give flags, and look at what comes out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/config.h"

static char file[] = "/tmp/pinrail-config-XXXXXX";

static void write_file(const char *text)
{
    FILE *out = fopen(file, "w");

    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

static struct config *load(const char *text, const char *const *flags, size_t count)
{
    struct config *config = NULL;

    write_file(text);
    assert_int_equal(config_load(&config, file, flags, count), ERR_OK);
    return config;
}

static void refuse(const char *text, const char *said)
{
    struct config *config = NULL;

    write_file(text);
    assert_int_equal(config_load(&config, file, NULL, 0), ERR_INVALID);
    if (!strstr(err_sentence(), said))
        fail_msg("'%s' does not say '%s'", err_sentence(), said);
}

static void a_flag_beats_the_environment_beats_the_file_beats_the_default(void **state)
{
    const char *const flags[] = {"lake.flush.size", "4"};
    struct config *config = load("", NULL, 0);

    assert_int_equal(config_integer(config, "lake.flush.size"), 100000);
    assert_string_equal(config_origin(config, "lake.flush.size"), "default");
    config_free(config);
    config = load("lake.flush.size: 2\n", NULL, 0);
    assert_int_equal(config_integer(config, "lake.flush.size"), 2);
    config_free(config);
    setenv("PINRAIL_LAKE_FLUSH_SIZE", "3", 1);
    config = load("lake.flush.size: 2\n", NULL, 0);
    assert_int_equal(config_integer(config, "lake.flush.size"), 3);
    assert_string_equal(config_origin(config, "lake.flush.size"), "PINRAIL_LAKE_FLUSH_SIZE");
    config_free(config);
    config = load("lake.flush.size: 2\n", flags, 1);
    assert_int_equal(config_integer(config, "lake.flush.size"), 4);
    config_free(config);
    unsetenv("PINRAIL_LAKE_FLUSH_SIZE");
}

static void nested_maps_join_their_keys(void **state)
{
    struct config *config =
        load("user: abc\nlake:\n  flush:\n    size: 7\n  rotate.interval.ms: 9\n", NULL, 0);

    assert_string_equal(config_text(config, "user"), "abc");
    assert_int_equal(config_integer(config, "lake.flush.size"), 7);
    assert_int_equal(config_integer(config, "lake.rotate.interval.ms"), 9);
    config_free(config);
}

static void variables_are_replaced(void **state)
{
    struct config *config;

    setenv("PINRAIL_TEST_NAME", "ada", 1);
    config = load("user: ${PINRAIL_TEST_NAME}-${PINRAIL_TEST_ABSENT:-x}\n", NULL, 0);
    assert_string_equal(config_text(config, "user"), "ada-x");
    config_free(config);
    refuse("user: ${PINRAIL_TEST_ABSENT}\n", "PINRAIL_TEST_ABSENT");
}

static void a_bad_value_is_refused_with_its_place(void **state)
{
    refuse("user: a\nlake.flush.size: many\n", ":2: lake.flush.size is 'many'");
    refuse("lake.flush.size: 0\n", "range");
    refuse("stream.enable: maybe\n", "true or false");
    refuse("insight.median: upper\n", "lower|exact");
    refuse("http: nowhere\n", "HOST:PORT");
    refuse("no.such.key: 1\n", "no setting 'no.such.key'");
    refuse("lake: [1, 2]\n", "list");
    refuse("a: b: c\n", "not YAML");
}

static void sizes_have_units(void **state)
{
    struct config *config = load("lake.flush.bytes: 3MiB\nmessage.max.bytes: 2k\n", NULL, 0);

    assert_int_equal(config_integer(config, "lake.flush.bytes"), 3 << 20);
    assert_int_equal(config_integer(config, "message.max.bytes"), 2000);
    config_free(config);
}

static void addresses_are_split(void **state)
{
    char host[256];
    int port;

    assert_int_equal(config_address("127.0.0.1:80", host, &port), ERR_OK);
    assert_string_equal(host, "127.0.0.1");
    assert_int_equal(port, 80);
    assert_int_equal(config_address("[::1]:9092", host, &port), ERR_OK);
    assert_string_equal(host, "::1");
    assert_int_equal(config_address("x:70000", host, &port), ERR_INVALID);
    assert_int_equal(config_address(":80", host, &port), ERR_INVALID);
    assert_int_equal(config_address("x:", host, &port), ERR_INVALID);
}

static void a_copy_differs_only_where_it_is_told_to(void **state)
{
    const char *const flags[] = {"user", "b"};
    struct config *config = load("user: a\nlake.flush.size: 5\n", NULL, 0), *copy = NULL;

    assert_int_equal(config_copy(&copy, config, flags, 1), ERR_OK);
    assert_string_equal(config_text(config, "user"), "a");
    assert_string_equal(config_text(copy, "user"), "b");
    assert_int_equal(config_integer(copy, "lake.flush.size"), 5);
    config_free(config);
    config_free(copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flag_beats_the_environment_beats_the_file_beats_the_default),
        cmocka_unit_test(nested_maps_join_their_keys),
        cmocka_unit_test(variables_are_replaced),
        cmocka_unit_test(a_bad_value_is_refused_with_its_place),
        cmocka_unit_test(sizes_have_units),
        cmocka_unit_test(addresses_are_split),
        cmocka_unit_test(a_copy_differs_only_where_it_is_told_to),
    };
    int status;

    close(mkstemp(file));
    status = cmocka_run_group_tests(tests, NULL, NULL);
    unlink(file);
    return status;
}
