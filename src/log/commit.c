/* commit.c - the committer thread, its sync helpers, and the chunks they empty. */
#include "log/commit.h"

#include <assert.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "log/partition.h"

/* ---- chunks ---- */

struct chunk *chunk_take(struct committer *committer, size_t size)
{
    size_t room = size > CHUNK_BYTES ? size : CHUNK_BYTES;
    struct chunk *chunk = NULL;

    if (room == CHUNK_BYTES) {
        pthread_mutex_lock(&committer->lock);
        chunk = committer->spare;
        if (chunk) {
            committer->spare = chunk->next;
            committer->spare_count--;
        }
        pthread_mutex_unlock(&committer->lock);
    }
    if (!chunk)
        chunk = malloc(sizeof(*chunk) + room);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->segment = NULL;
    chunk->begins_segment = false;
    chunk->size = 0;
    chunk->room = room;
    atomic_fetch_add(&committer->unsynced, room);
    return chunk;
}

void chunk_give(struct committer *committer, struct chunk *chunk)
{
    atomic_fetch_sub(&committer->unsynced, chunk->room);
    if (chunk->room == CHUNK_BYTES) {
        pthread_mutex_lock(&committer->lock);
        if (committer->spare_count < SPARE_CHUNKS_MOST) {
            chunk->next = committer->spare;
            committer->spare = chunk;
            committer->spare_count++;
            chunk = NULL;
        }
        pthread_mutex_unlock(&committer->lock);
    }
    free(chunk);
}

/* ---- what appenders and waiters call ---- */

void committer_add(struct committer *committer, struct partition *partition)
{
    bool wake;

    pthread_mutex_lock(&committer->lock);
    partition->next_dirty = committer->dirty;
    committer->dirty = partition;
    wake = committer->idle;
    committer->idle = false;
    pthread_mutex_unlock(&committer->lock);
    if (wake)
        pthread_cond_signal(&committer->work);
}

void committer_wait_for_room(struct committer *committer)
{
    if (atomic_load(&committer->unsynced) < committer->unsynced_most)
        return;
    pthread_mutex_lock(&committer->lock);
    committer->waiting++;
    while (atomic_load(&committer->unsynced) >= committer->unsynced_most && !committer->stop)
        pthread_cond_wait(&committer->committed, &committer->lock);
    committer->waiting--;
    pthread_mutex_unlock(&committer->lock);
}

void committer_wake(struct committer *committer)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&committer->lock);
    for (int i = 0; i < committer->wake_count; i++) {
        if (write(committer->wake_fds[i], &one, sizeof(one)) < 0)
            continue; /* full: whoever reads it has been woken already */
    }
    if (committer->waiting > 0)
        pthread_cond_broadcast(&committer->committed);
    pthread_mutex_unlock(&committer->lock);
}

/* ---- the round ---- */

/* Sync partitions of the round until none is left to take. The caller holds round_lock. */
static void help(struct committer *committer)
{
    while (committer->round) {
        struct partition *partition = committer->round;
        committer->round = partition->next_in_round;
        pthread_mutex_unlock(&committer->round_lock);
        partition_sync_tail(partition);
        pthread_mutex_lock(&committer->round_lock);
        committer->round_left--;
        if (committer->round_left == 0)
            pthread_cond_signal(&committer->round_ends);
    }
}

static void *run_helper(void *arg)
{
    struct committer *committer = arg;

    pthread_mutex_lock(&committer->round_lock);
    while (committer->round_left >= 0) {
        help(committer);
        if (committer->round_left >= 0)
            pthread_cond_wait(&committer->round_begins, &committer->round_lock);
    }
    pthread_mutex_unlock(&committer->round_lock);
    return NULL;
}

/* Sync every partition of `round`, which has `count` of them. */
static void sync_all(struct committer *committer, struct partition *round, int count)
{
    pthread_mutex_lock(&committer->round_lock);
    committer->round = round;
    committer->round_left = count;
    if (count > 1)
        pthread_cond_broadcast(&committer->round_begins);
    help(committer);
    while (committer->round_left > 0)
        pthread_cond_wait(&committer->round_ends, &committer->round_lock);
    pthread_mutex_unlock(&committer->round_lock);
}

static void commit_round(struct committer *committer, struct partition *dirty)
{
    struct partition *round = NULL, *next;
    int count = 0;

    for (struct partition *partition = dirty; partition; partition = next) {
        next = partition->next_dirty;
        partition_write_tail(partition); /* from here on it may be put in line again */
        partition->next_in_round = round;
        round = partition;
        count++;
    }
    sync_all(committer, round, count);
    committer_wake(committer);
    for (struct partition *partition = round; partition; partition = next) {
        next = partition->next_in_round;
        partition_after_commit(partition);
        partition_put(partition);
    }
}

static void *run(void *arg)
{
    struct committer *committer = arg;

    pthread_mutex_lock(&committer->lock);
    for (;;) {
        struct partition *dirty = committer->dirty;
        if (!dirty && committer->stop)
            break;
        if (!dirty) {
            committer->idle = true;
            pthread_cond_wait(&committer->work, &committer->lock);
            committer->idle = false;
            continue;
        }
        committer->dirty = NULL;
        pthread_mutex_unlock(&committer->lock);
        commit_round(committer, dirty);
        pthread_mutex_lock(&committer->lock);
    }
    pthread_mutex_unlock(&committer->lock);
    return NULL;
}

enum err committer_start(struct committer *committer, size_t unsynced_most)
{
    pthread_condattr_t steady;

    memset(committer, 0, sizeof(*committer));
    committer->unsynced_most = unsynced_most;
    pthread_condattr_init(&steady);
    pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
    pthread_mutex_init(&committer->lock, NULL);
    pthread_mutex_init(&committer->round_lock, NULL);
    pthread_cond_init(&committer->work, NULL);
    pthread_cond_init(&committer->committed, &steady);
    pthread_cond_init(&committer->round_begins, NULL);
    pthread_cond_init(&committer->round_ends, NULL);
    pthread_condattr_destroy(&steady);
    committer->started = true;
    while (committer->helpers_started < SYNC_HELPERS) {
        if (pthread_create(&committer->helpers[committer->helpers_started], NULL, run_helper, committer))
            return err_note(ERR_NO_MEMORY, "cannot start a thread that syncs files");
        committer->helpers_started++;
    }
    if (pthread_create(&committer->thread, NULL, run, committer))
        return err_note(ERR_NO_MEMORY, "cannot start the thread that commits");
    committer->running = true;
    return ERR_OK;
}

void committer_stop(struct committer *committer)
{
    struct chunk *next;

    if (!committer->started)
        return;
    pthread_mutex_lock(&committer->lock);
    committer->stop = true;
    pthread_cond_signal(&committer->work);
    pthread_cond_broadcast(&committer->committed);
    pthread_mutex_unlock(&committer->lock);
    if (committer->running)
        pthread_join(committer->thread, NULL);

    pthread_mutex_lock(&committer->round_lock);
    committer->round_left = -1;
    pthread_cond_broadcast(&committer->round_begins);
    pthread_mutex_unlock(&committer->round_lock);
    for (int i = 0; i < committer->helpers_started; i++)
        pthread_join(committer->helpers[i], NULL);

    for (struct chunk *chunk = committer->spare; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    pthread_mutex_destroy(&committer->lock);
    pthread_mutex_destroy(&committer->round_lock);
    pthread_cond_destroy(&committer->work);
    pthread_cond_destroy(&committer->committed);
    pthread_cond_destroy(&committer->round_begins);
    pthread_cond_destroy(&committer->round_ends);
    committer->started = false;
}
