/* Whole-file writes are what settings, ranges and commits are kept by: after a crash the old content or the new must be
 * there, never half of one, and a file that is put only if absent must never replace another.
 * How: on real files; and on a disk that loses power at every call, in three ways. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "faulty_disk.h"

static char dir[256];

static int make_dir(void **state)
{
    const char *base = getenv("TMPDIR");

    snprintf(dir, sizeof(dir), "%s/pinrail-disk-XXXXXX", base ? base : "/tmp");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    return disk_remove_tree(disk_real(), dir) ? -1 : 0;
}

static const char *in_dir(const char *name)
{
    static char paths[4][512];
    static int next;
    char *path = paths[next++ % 4];

    snprintf(path, 512, "%s/%s", dir, name);
    return path;
}

static bool holds(struct disk *disk, const char *path, struct bytes content)
{
    struct buf buf = buf_init(1 << 20);
    bool same = !disk_read_file(disk, path, &buf) && bytes_equal(buf_bytes(&buf), content);

    buf_release(&buf);
    return same;
}

static enum err count_name(void *arg, const char *name)
{
    ++*(int *)arg;
    return ERR_OK;
}

static void calls_say_what_the_kernel_says(void **state)
{
    struct disk *disk = disk_real();
    struct disk_file *file = NULL;
    struct buf small = buf_init(3);
    uint8_t at[8];
    size_t got;
    off_t size;
    int names = 0;

    assert_int_equal(disk_open(disk, &file, in_dir("absent"), DISK_READ), ERR_NOT_FOUND);
    assert_non_null(strstr(err_sentence(), "absent"));
    assert_int_equal(disk_open(disk, &file, in_dir("a"), DISK_WRITE | DISK_CREATE), ERR_OK);
    assert_int_equal(disk_write(file, 2, BYTES("text")), ERR_OK);
    assert_int_equal(disk_read(file, 1, at, sizeof(at), &got), ERR_OK);
    assert_int_equal(got, 5);
    assert_memory_equal(at, "\0text", 5);
    assert_int_equal(disk_truncate(file, 4), ERR_OK);
    assert_int_equal(disk_size(file, &size), ERR_OK);
    assert_int_equal(size, 4);
    assert_int_equal(disk_sync(file), ERR_OK);
    disk_close(file);
    assert_int_equal(disk_open(disk, &file, in_dir("a"), DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE),
                     ERR_EXISTS);
    assert_int_equal(disk_read_file(disk, in_dir("a"), &small), ERR_FULL);
    assert_int_equal(disk_make_dirs(disk, in_dir("x/y/z")), ERR_OK);
    assert_int_equal(disk_make_dirs(disk, in_dir("x/y/z")), ERR_OK);
    assert_int_equal(disk_make_dir(disk, in_dir("x")), ERR_EXISTS);
    assert_int_equal(disk_list(disk, dir, count_name, &names), ERR_OK);
    assert_int_equal(names, 2);
    assert_int_equal(disk_remove_tree(disk, in_dir("x")), ERR_OK);
    assert_int_equal(disk_remove_tree(disk, in_dir("x")), ERR_OK);
    assert_int_equal(disk_remove(disk, in_dir("x")), ERR_NOT_FOUND);
    buf_release(&small);
}

static void whole_files_leave_nothing_beside_them(void **state)
{
    struct disk *disk = disk_real();
    int names = 0;

    assert_int_equal(disk_write_file(disk, in_dir("f"), BYTES("one")), ERR_OK);
    assert_int_equal(disk_write_file(disk, in_dir("f"), BYTES("two")), ERR_OK);
    assert_true(holds(disk, in_dir("f"), BYTES("two")));
    assert_int_equal(disk_put_new_file(disk, in_dir("f"), BYTES("three")), ERR_EXISTS);
    assert_true(holds(disk, in_dir("f"), BYTES("two")));
    assert_int_equal(disk_put_new_file(disk, in_dir("g"), BYTES("four")), ERR_OK);
    assert_true(holds(disk, in_dir("g"), BYTES("four")));
    assert_int_equal(disk_list(disk, dir, count_name, &names), ERR_OK);
    assert_int_equal(names, 2);
}

static void a_crash_leaves_the_old_or_the_new(void **state)
{
    for (int how = FAULTY_LOSES_ALL; how <= FAULTY_LOSES_SOME; how++) {
        bool finished = false;
        for (int64_t dies_at = 1; !finished; dies_at++) {
            for (uint32_t seed = 1; seed < 10; seed++) {
                struct disk *disk = faulty_disk_new();
                enum err put, written;
                assert_int_equal(disk_make_dirs(disk, "/d"), ERR_OK);
                assert_int_equal(disk_write_file(disk, "/d/f", BYTES("old")), ERR_OK);
                faulty(disk)->dies_at = faulty(disk)->calls + dies_at;
                written = disk_write_file(disk, "/d/f", BYTES("new content"));
                put = disk_put_new_file(disk, "/d/g", BYTES("put"));
                finished = !put;
                faulty_disk_crash(disk, seed, how);
                assert_true(holds(disk, "/d/f", BYTES("new content")) ||
                            (written && holds(disk, "/d/f", BYTES("old"))));
                if (!put)
                    assert_true(holds(disk, "/d/g", BYTES("put")));
                if (!holds(disk, "/d/g", BYTES("put"))) /* there whole, or not at all */
                    assert_int_equal(disk_put_new_file(disk, "/d/g", BYTES("again")), ERR_OK);
                faulty_disk_free(disk);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_say_what_the_kernel_says, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(whole_files_leave_nothing_beside_them, make_dir, remove_dir),
        cmocka_unit_test(a_crash_leaves_the_old_or_the_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
