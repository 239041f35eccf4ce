/* Commits of a Delta log, as another writer may have left them: two are applied, one after the other. However broken they
 * are, the state must stay one: live files counted as they are, no file both alive and removed, and a commit that is
 * refused must change nothing. */
#include <assert.h>
#include <stdint.h>

#include "table/delta.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct snapshot *snapshot)
{
    int64_t rows = 0, bytes = 0, uncounted = 0;
    const char *path;
    json_t *add;

    json_object_foreach(snapshot->adds, path, add)
    {
        int64_t here = add_rows(add);
        rows += here < 0 ? 0 : here;
        uncounted += here < 0;
        bytes += json_integer_value(json_object_get(add, "size"));
        assert(!json_object_get(snapshot->removes, path));
    }
    assert(snapshot->rows == rows && snapshot->bytes == bytes && snapshot->uncounted_files == uncounted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *middle = memmem(data, size, "\n\n\n", 3);
    size_t first = middle ? (size_t)(middle - data) : size;
    struct bytes commits[] = {{data, first}, {data + first, size - first}};
    struct commit_summary summary;
    struct snapshot snapshot;

    assert(!snapshot_init(&snapshot));
    for (int64_t version = 0; version < 2; version++) {
        size_t files = json_object_size(snapshot.adds);
        int64_t before = snapshot.version;
        enum err err = snapshot_apply_commit(&snapshot, version, commits[version], "log");
        check(&snapshot);
        assert(!err || (snapshot.version == before && json_object_size(snapshot.adds) == files));
        if (!commit_summarize(commits[version], "log", &summary)) {
            assert(!err && summary.files_added >= 0);
            buf_release(&summary.operation);
            buf_release(&summary.txns);
        }
    }
    snapshot_check_readable(&snapshot, "t");
    snapshot_check_writable(&snapshot, "t", true);
    snapshot_release(&snapshot);
    return 0;
}
