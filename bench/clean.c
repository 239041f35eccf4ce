/* clean.c - records a second from JSON to clean rows in Parquet, as a batch has it: parse, SQL, expectations, zstd.
 *
 *     bench-clean ENTITY FILE.jsonl [COPIES [THREADS [RUNS]]]
 *
 * The file's lines are taken COPIES times over. Prints one line a run: rows, seconds, rows a second. */
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/disk.h"
#include "clean/clean.h"

enum { FILE_BYTES_MOST = 1 << 30 };

static struct raw_record *records_of(const struct buf *text, size_t copies, size_t *count)
{
    struct raw_record *records = NULL;
    size_t lines = 0;

    for (size_t i = 0; i < text->size; i++)
        lines += text->at[i] == '\n';
    records = calloc(lines * copies + 1, sizeof(*records));
    *count = 0;
    for (size_t copy = 0; records && copy < copies; copy++)
        for (const uint8_t *at = text->at, *end = text->at + text->size, *line_end; at < end;
             at = line_end + 1) {
            line_end = memchr(at, '\n', (size_t)(end - at));
            if (!line_end)
                break;
            records[*count] = (struct raw_record){bytes_of(at, (size_t)(line_end - at)), 0, (int64_t)*count};
            ++*count;
        }
    return records;
}

static enum err bench(const char *entity, const char *path, size_t copies, const char *threads, int runs)
{
    const char *flags[] = {"lakehouse.threads", threads};
    struct buf text = buf_init(FILE_BYTES_MOST);
    struct clean_input input = {.topic = "bench", .ingested_us = 1600000000000000};
    struct cleaner *cleaner = NULL;
    struct raw_record *records = NULL;
    struct config *config = NULL;
    struct sql_db *db = NULL;
    struct sql *sql = NULL;
    enum err err = config_load(&config, NULL, flags, 1);

    if (!err)
        err = disk_read_file(disk_real(), path, &text);
    if (!err)
        err = sql_db_open(&db, &(struct sql_options){.threads = atoi(threads)});
    if (!err)
        err = sql_open(&sql, db);
    if (!err)
        err = cleaner_open(&cleaner, config, sql, entity);
    if (err)
        goto out;
    records = records_of(&text, copies, &input.count);
    input.records = records;
    err = records ? cleaner_feed(cleaner, &input) : ERR_NO_MEMORY;
    for (int run = 0; !err && run < runs; run++) {
        int64_t from = clock_steady_us();
        double seconds;
        err = sql_runf(sql, "COPY (%s) TO '/dev/null' (FORMAT parquet, COMPRESSION zstd)",
                       cleaner_good_select(cleaner));
        seconds = (double)(clock_steady_us() - from) / 1e6;
        if (!err)
            printf("%s: %zu rows in %.3f s, %.0f rows a second\n", entity, input.count, seconds,
                   (double)input.count / seconds);
    }
out:
    cleaner_close(cleaner);
    sql_close(sql);
    sql_db_close(db);
    config_free(config);
    buf_release(&text);
    free(records);
    return err;
}

int main(int argc, char **argv)
{
    enum err err;

    if (argc < 3) {
        fprintf(stderr, "usage: %s ENTITY FILE.jsonl [COPIES [THREADS [RUNS]]]\n", argv[0]);
        return EX_USAGE;
    }
    err = bench(argv[1], argv[2], argc > 3 ? (size_t)atol(argv[3]) : 1, argc > 4 ? argv[4] : "2",
                argc > 5 ? atoi(argv[5]) : 5);
    if (err)
        fprintf(stderr, "%s: %s\n", err_name(err), err_sentence());
    return err_exit_status(err);
}
