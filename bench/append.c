/* append.c - how fast the log itself takes records, without a door before it.
 *
 *     bench-append DIR BATCH_RECORDS RECORD_BYTES SECONDS TOPICS
 *
 * One thread appends as a door would: a group of up to 64 batches, one after the other to each topic, then it waits until
 * the last ones are durable. Prints records, batches and bytes a second, and how long opening took before and after. */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "log/log.h"

enum { GROUP = 64, TOPICS_MOST = 16 };

static void check(enum err err)
{
    if (!err)
        return;
    fprintf(stderr, "bench-append: %s: %s\n", err_name(err), err_sentence());
    exit(err_exit_status(err));
}

static double open_ms(struct log **log, const char *dir)
{
    struct log_options options = {.dir = dir, .disk = disk_real()};
    int64_t began = clock_steady_us();

    check(log_open(log, &options));
    return (double)(clock_steady_us() - began) / 1e3;
}

int main(int argc, char **argv)
{
    struct partition *partitions[TOPICS_MOST];
    struct append last[TOPICS_MOST];
    struct buf buf = buf_init(64 << 20);
    struct batch_writer writer;
    struct record record = {.timestamp_ms = clock_wall_ms()};
    struct bytes batch;
    struct log *log;
    int64_t began, until, batches = 0;
    double seconds, opened;

    if (argc != 6 || atoi(argv[5]) < 1 || atoi(argv[5]) > TOPICS_MOST) {
        fprintf(stderr, "usage: bench-append DIR BATCH_RECORDS RECORD_BYTES SECONDS TOPICS\n");
        return 64;
    }
    int count = atoi(argv[2]), topics = atoi(argv[5]);
    record.value = bytes_of(calloc(1, (size_t)atoi(argv[3])), (size_t)atoi(argv[3]));
    check(batch_begin(&writer, &buf));
    for (int i = 0; i < count; i++)
        check(batch_add(&writer, &record));
    check(batch_finish(&writer, &batch));

    opened = open_ms(&log, argv[1]);
    for (int i = 0; i < topics; i++) {
        char name[16];
        snprintf(name, sizeof(name), "bench-%d", i);
        enum err err = log_topic_create(log, name, 1, NULL, 0);
        check(err == ERR_EXISTS ? ERR_OK : err);
        partitions[i] = log_partition(log, name, 0);
    }
    began = clock_steady_us();
    until = began + (int64_t)(atof(argv[4]) * 1e6);
    while (clock_steady_us() < until) {
        for (int i = 0; i < GROUP; i++, batches++)
            check(partition_append(partitions[i % topics], batch, &last[i % topics]));
        for (int i = 0; i < topics; i++)
            check(partition_wait(partitions[i], last[i].end_offset, -1));
    }
    seconds = (double)(clock_steady_us() - began) / 1e6;
    printf("%.0f records/s, %.0f batches/s, %.1f MB/s; opening took %.1f ms before",
           (double)batches * count / seconds, (double)batches / seconds,
           (double)batches * (double)batch.size / seconds / 1e6, opened);
    for (int i = 0; i < topics; i++)
        partition_put(partitions[i]);
    log_close(log);
    printf(" and %.1f ms after\n", open_ms(&log, argv[1]));
    log_close(log);
    free((void *)record.value.at);
    buf_release(&buf);
    return 0;
}
