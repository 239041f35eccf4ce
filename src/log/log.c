/* log.c - opening and closing the log, waiting, waking, producer ids.
 *
 *     DIR/lock                      held with flock while a process has the log open
 *     DIR/TOPIC-PARTITION/          a partition: see partition.c
 *
 * Opening reads `__pinrail_topics` first; what it does not name is left over from a crash and is removed. */
#include "log/log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/trace.h"
#include "log/internal.h"
#include "log/topic.h"

enum {
    SEGMENT_BYTES = 256 << 20,
    UNSYNCED_MOST_BYTES = 64 << 20,
    MESSAGE_MAX_BYTES = 1048588,
    PRODUCER_IDS_AT_ONCE = 1000,
};

/* ---- opening ---- */

/* A partition keeps a file open; the usual limit of 1024 would end at as many. */
static void allow_many_files(void)
{
    struct rlimit limit;

    if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit))
            trace_warn("log", "the limit of open files stays low: %s", strerror(errno));
    }
}

static enum err take_lock(struct log *log)
{
    char path[SEGMENT_PATH_BYTES];
    int fd;
    enum err err;

    if (snprintf(path, sizeof(path), "%s/lock", log->dir) >= (int)sizeof(path))
        return err_note(ERR_INVALID, "a path is too long: %.80s...", log->dir);
    err = disk_open(log->disk, &log->lock_file, path, DISK_WRITE | DISK_CREATE);
    if (err)
        return err;
    fd = disk_descriptor(log->lock_file);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB))
        return err_note(ERR_BUSY,
                        "%s is in use by another pinrail; stop that one first, or use another data.dir",
                        log->dir);
    return ERR_OK;
}

/* Open `__pinrail_topics`, making it in a new log, and read what is in it. */
static enum err open_metadata(struct log *log)
{
    struct partition_options options = {
        .log = log,
        .dir = log->dir,
        .disk = log->disk,
        .committer = &log->committer,
        .segment_bytes = log->segment_bytes,
        .batch_max_bytes = BATCH_MOST_BYTES,
    };
    char path[SEGMENT_PATH_BYTES];
    enum err err;

    snprintf(path, sizeof(path), "%s/" METADATA_TOPIC "-0", log->dir);
    err = disk_make_dirs(log->disk, path);
    if (!err)
        err = partition_open(&log->metadata, METADATA_TOPIC, 0, &options);
    return err ? err : metadata_load(log);
}

static enum err open_topics(struct log *log)
{
    struct topic *topic = topics_find(log, METADATA_TOPIC);
    enum err err = ERR_OK;

    if (topic) {
        partition_get(log->metadata);
        topic->partitions[0] = log->metadata;
    }
    for (size_t i = 0; i < log->topic_count && !err; i++)
        err = topic_open_partitions(log, log->topics[i]);
    if (!err && !topic)
        err = topic_make(log, METADATA_TOPIC, 1, NULL, 0, true);
    if (!err && !topics_find(log, OFFSETS_TOPIC))
        err = topic_make(log, OFFSETS_TOPIC, 1, NULL, 0, true);
    return err;
}

/* Remove a folder that looks like a partition's but is of no topic that is there. */
static enum err remove_stale(void *arg, const char *name)
{
    struct log *log = arg;
    const char *hyphen = strrchr(name, '-');
    char topic_name[TOPIC_NAME_MOST + 1], path[SEGMENT_PATH_BYTES];
    const struct topic *topic;
    char *end;
    long number;

    if (!hyphen || hyphen == name || (size_t)(hyphen - name) > TOPIC_NAME_MOST || hyphen[1] < '0' ||
        hyphen[1] > '9')
        return ERR_OK;
    number = strtol(hyphen + 1, &end, 10);
    if (*end != 0)
        return ERR_OK;
    snprintf(topic_name, sizeof(topic_name), "%.*s", (int)(hyphen - name), name);
    topic = topics_find(log, topic_name);
    if ((topic && number < topic->partition_count) || strcmp(name, METADATA_TOPIC "-0") == 0)
        return ERR_OK; /* a new log's metadata is not a topic yet */
    snprintf(path, sizeof(path), "%s/%s", log->dir, name);
    trace_warn("log", "removing %s, which a topic that was deleted or not quite made left behind", path);
    return disk_remove_tree(log->disk, path);
}

enum err log_open(struct log **out, const struct log_options *options)
{
    struct log *log = calloc(1, sizeof(*log));
    struct partition *offsets;
    enum err err;

    if (!log || !(log->dir = strdup(options->dir))) {
        free(log);
        return err_note(ERR_NO_MEMORY, "out of memory for the log");
    }
    log->disk = options->disk;
    log->segment_bytes = options->segment_bytes ? options->segment_bytes : SEGMENT_BYTES;
    log->batch_max_bytes = options->message_max_bytes ? options->message_max_bytes : MESSAGE_MAX_BYTES;
    if (log->batch_max_bytes > BATCH_MOST_BYTES)
        log->batch_max_bytes = BATCH_MOST_BYTES;
    log->record = buf_init(INTERNAL_RECORD_MOST_BYTES);
    pthread_mutex_init(&log->change_lock, NULL);
    pthread_rwlock_init(&log->topics_lock, NULL);
    pthread_mutex_init(&log->offsets.lock, NULL);
    allow_many_files();
    err = disk_make_dirs(log->disk, log->dir);
    if (!err)
        err = take_lock(log);
    if (!err)
        err = committer_start(&log->committer, options->unsynced_most_bytes ? options->unsynced_most_bytes
                                                                            : UNSYNCED_MOST_BYTES);
    if (!err)
        err = open_metadata(log);
    if (!err)
        err = disk_list(log->disk, log->dir, remove_stale, log);
    if (!err)
        err = open_topics(log);
    if (!err) {
        offsets = log_partition(log, OFFSETS_TOPIC, 0);
        err = offsets_load(&log->offsets, offsets);
    }
    if (err) {
        log_close(log);
        return err;
    }
    *out = log;
    return ERR_OK;
}

void log_close(struct log *log)
{
    if (!log)
        return;
    committer_stop(&log->committer);
    for (size_t i = 0; i < log->topic_count; i++) {
        struct topic *topic = log->topics[i];
        for (int32_t p = 0; p < topic->partition_count; p++) {
            if (topic->partitions[p])
                partition_store_index(topic->partitions[p]);
        }
        topic_free(topic);
    }
    free(log->topics);
    offsets_release(&log->offsets);
    partition_put(log->metadata);
    disk_close(log->lock_file); /* gives the lock back */
    buf_release(&log->record);
    pthread_mutex_destroy(&log->offsets.lock);
    pthread_mutex_destroy(&log->change_lock);
    pthread_rwlock_destroy(&log->topics_lock);
    free(log->dir);
    free(log);
}

/* ---- waiting and waking ---- */

enum err log_wake_on_commit(struct log *log, int eventfd)
{
    struct committer *committer = &log->committer;
    enum err err = ERR_OK;

    pthread_mutex_lock(&committer->lock);
    if (committer->wake_count == WAKE_FDS_MOST)
        err = err_note(ERR_FULL, "no more than %d can be woken by the log", WAKE_FDS_MOST);
    else
        committer->wake_fds[committer->wake_count++] = eventfd;
    pthread_mutex_unlock(&committer->lock);
    return err;
}

void log_wake_forget(struct log *log, int eventfd)
{
    struct committer *committer = &log->committer;

    pthread_mutex_lock(&committer->lock);
    for (int i = 0; i < committer->wake_count; i++) {
        if (committer->wake_fds[i] == eventfd)
            committer->wake_fds[i--] = committer->wake_fds[--committer->wake_count];
    }
    pthread_mutex_unlock(&committer->lock);
}

enum err partition_wait(struct partition *partition, int64_t end_offset, int timeout_ms)
{
    struct committer *committer = partition->committer;
    struct timespec until;
    enum err err = partition_settled(partition, end_offset);
    int status = 0;

    if (err != ERR_BUSY || timeout_ms == 0)
        return err;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&committer->lock);
    committer->waiting++;
    while ((err = partition_settled(partition, end_offset)) == ERR_BUSY && status != ETIMEDOUT) {
        if (timeout_ms < 0)
            pthread_cond_wait(&committer->committed, &committer->lock);
        else
            status = pthread_cond_timedwait(&committer->committed, &committer->lock, &until);
    }
    committer->waiting--;
    pthread_mutex_unlock(&committer->lock);
    return err;
}

struct offsets *log_offsets(struct log *log)
{
    return &log->offsets;
}

/* ---- producer ids ---- */

enum err log_new_producer_id(struct log *log, int64_t *producer_id)
{
    enum err err = ERR_OK;

    pthread_mutex_lock(&log->change_lock);
    if (log->next_producer_id == log->producer_ids_end) {
        err = metadata_put_producer_ids(log, log->producer_ids_end + PRODUCER_IDS_AT_ONCE);
        if (!err)
            log->producer_ids_end += PRODUCER_IDS_AT_ONCE;
    }
    if (!err)
        *producer_id = log->next_producer_id++;
    pthread_mutex_unlock(&log->change_lock);
    return err;
}
