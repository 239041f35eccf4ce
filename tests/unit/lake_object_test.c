/* What could go wrong: an object under a name that others (Confluent's tools, our batch) would not find, or a stray file
 * taken for an object. We compare names with the documented form, and list folders with strangers among the objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lake/object.h"

#define CHECK(what) assert_true(what)

static char folder[] = "/tmp/pinrail-lake-object-XXXXXX";
static struct config *config;

static int open_folder(void **state)
{
    const char *flags[] = {"data.dir", folder};

    return !mkdtemp(folder) || config_load(&config, NULL, flags, 1) != ERR_OK;
}

static int close_folder(void **state)
{
    config_free(config);
    return disk_remove_tree(disk_real(), folder) != ERR_OK;
}

static void write_file(const char *below, const char *content)
{
    char path[500], *slash;

    snprintf(path, sizeof(path), "%s/%s", folder, below);
    slash = strrchr(path, '/');
    *slash = '\0';
    CHECK(disk_make_dirs(disk_real(), path) == ERR_OK);
    *slash = '/';
    CHECK(disk_write_file(disk_real(), path, bytes_of_text(content)) == ERR_OK);
}

static void names_are_those_of_the_confluent_sink(void **state)
{
    struct buf path = buf_init(1000);
    char want[500];

    CHECK(object_path(config, "demo.pin", 12, 345, &path) == ERR_OK);
    snprintf(want, sizeof(want), "%s/lake/topics/demo.pin/partition=12/demo.pin+12+0000000345.json", folder);
    assert_string_equal((const char *)path.at, want);
    CHECK(object_path(config, "demo.pin", 0, 12345678901, &path) == ERR_OK);
    snprintf(want, sizeof(want), "%s/lake/topics/demo.pin/partition=0/demo.pin+0+12345678901.json", folder);
    assert_string_equal((const char *)path.at, want);
    buf_release(&path);
}

static void only_object_names_are_taken(void **state)
{
    static const struct {
        const char *name;
        int64_t start;
    } names[] = {
        {"a.b+3+0000000000.json", 0},
        {"a.b+3+0000000042.json", 42},
        {"a.b+3+12345678901.json", 12345678901},
        {"a.b+3+42.json", -1},
        {"a.b+4+0000000042.json", -1},
        {"a.b+3+0000000042.json.tmp", -1},
        {"a.b+3+0000000042", -1},
        {".a.b+3+0000000042.json", -1},
        {"a.bc+3+0000000042.json", -1},
        {"a.b+3+-000000042.json", -1},
        {"a.b+3+0000000042x.json", -1},
        {"a.b+3+9999999999999999999999.json", -1},
        {"a.b+3+", -1},
        {"", -1},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (object_start(names[i].name, "a.b", 3) != names[i].start)
            fail_msg("%s gives %lld", names[i].name, (long long)object_start(names[i].name, "a.b", 3));
}

static void listings_are_in_order_and_pass_over_strangers(void **state)
{
    struct arena arena = arena_init(1 << 20);
    struct lake_partition *partitions = NULL;
    struct lake_object *objects = NULL;
    size_t count = 99;

    CHECK(lake_partitions(config, disk_real(), &arena, &partitions, &count) == ERR_OK);
    CHECK(count == 0); /* no lake yet */
    write_file("lake/topics/demo.pin/partition=10/demo.pin+10+0000000000.json", "1\n");
    write_file("lake/topics/demo.pin/partition=2/demo.pin+2+0000000007.json", "1\n");
    write_file("lake/topics/demo.pin/partition=2/demo.pin+2+10000000000.json", "1\n2\n");
    write_file("lake/topics/demo.pin/partition=2/demo.pin+2+9999999999.json", "1\n");
    write_file("lake/topics/demo.pin/partition=2/notes.txt", "1\n");
    write_file("lake/topics/demo.pin/partition=x/demo.pin+2+0000000000.json", "1\n");
    write_file("lake/topics/demo.geo/partition=0/demo.geo+0+0000000000.json", "1\n");
    write_file("lake/topics/README", "a file among the topics\n");

    CHECK(lake_partitions(config, disk_real(), &arena, &partitions, &count) == ERR_OK);
    CHECK(count == 3);
    assert_string_equal(partitions[0].topic, "demo.geo");
    CHECK(partitions[1].partition == 2 && partitions[2].partition == 10);
    CHECK(lake_objects(config, disk_real(), "demo.pin", 2, &arena, &objects, &count) == ERR_OK);
    CHECK(count == 3);
    CHECK(objects[0].start_offset == 7 && objects[1].start_offset == 9999999999 &&
          objects[2].start_offset == 10000000000);
    CHECK(objects[2].size == 4);
    CHECK(object_exists(config, disk_real(), "demo.pin", 2, 7));
    CHECK(!object_exists(config, disk_real(), "demo.pin", 2, 8));
    CHECK(lake_objects(config, disk_real(), "demo.user", 0, &arena, &objects, &count) == ERR_OK);
    CHECK(count == 0);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_those_of_the_confluent_sink),
        cmocka_unit_test(only_object_names_are_taken),
        cmocka_unit_test(listings_are_in_order_and_pass_over_strangers),
    };

    return cmocka_run_group_tests(tests, open_folder, close_folder);
}
