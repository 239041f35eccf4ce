/* producer.c - sequences of idempotent producers. */
#include "log/producer.h"

#include <assert.h>
#include <stdlib.h>

enum { FIRST_ROOM = 16, FORGET_AFTER_MS = 24 * 60 * 60 * 1000 };

void producers_release(struct producers *producers)
{
    free(producers->slots);
    *producers = (struct producers){0};
}

/* The slot of `id`, or the free slot where it belongs. */
static struct producer *slot_of(const struct producers *producers, int64_t id)
{
    size_t mask = producers->room - 1;
    size_t at = (size_t)((uint64_t)id * 0x9e3779b97f4a7c15u >> 32) & mask;

    while (producers->slots[at].id >= 0 && producers->slots[at].id != id)
        at = (at + 1) & mask;
    return &producers->slots[at];
}

/* Move all that were heard of since `oldest_ms` to a table of `room` slots. */
static enum err rebuild(struct producers *producers, size_t room, int64_t oldest_ms)
{
    struct producers larger = {malloc(room * sizeof(struct producer)), 0, room};

    if (!larger.slots)
        return err_note(ERR_NO_MEMORY, "out of memory for the state of producers");
    for (size_t i = 0; i < room; i++)
        larger.slots[i].id = -1;
    for (size_t i = 0; i < producers->room; i++) {
        const struct producer *producer = &producers->slots[i];
        if (producer->id >= 0 && producer->last_ms >= oldest_ms) {
            *slot_of(&larger, producer->id) = *producer;
            larger.count++;
        }
    }
    free(producers->slots);
    *producers = larger;
    return ERR_OK;
}

static int by_time(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Forget those not heard of for a day, and if there are still too many, the older half. */
static enum err forget_some(struct producers *producers, int64_t now_ms)
{
    int64_t *times;
    size_t count = 0;
    enum err err = rebuild(producers, producers->room, now_ms - FORGET_AFTER_MS);

    if (err || producers->count < PRODUCERS_MOST)
        return err;
    times = malloc(producers->count * sizeof(*times));
    if (!times)
        return err_note(ERR_NO_MEMORY, "out of memory for the state of producers");
    for (size_t i = 0; i < producers->room; i++) {
        if (producers->slots[i].id >= 0)
            times[count++] = producers->slots[i].last_ms;
    }
    qsort(times, count, sizeof(*times), by_time);
    err = rebuild(producers, producers->room, times[count / 2] + 1);
    free(times);
    return err;
}

static enum err make_room(struct producers *producers, int64_t now_ms)
{
    if (producers->room == 0)
        return rebuild(producers, FIRST_ROOM, INT64_MIN);
    if (producers->count >= PRODUCERS_MOST)
        return forget_some(producers, now_ms);
    if (producers->count + 1 > producers->room / 4 * 3)
        return rebuild(producers, producers->room * 2, INT64_MIN);
    return ERR_OK;
}

/* Sequences run to INT32_MAX and start again at 0. */
static int32_t sequence_add(int32_t sequence, int32_t by)
{
    return (int32_t)(((uint32_t)sequence + (uint32_t)by) & INT32_MAX);
}

enum err producers_check(struct producers *producers, const struct batch_head *head, int64_t now_ms,
                         int64_t *first_offset)
{
    const struct producer *known;
    const struct producer_batch *last;
    int32_t last_sequence = sequence_add(head->sequence, head->count - 1);
    enum err err = make_room(producers, now_ms);

    if (err)
        return err;
    known = slot_of(producers, head->producer_id);
    if (known->id < 0)
        return ERR_OK;
    if (head->producer_epoch < known->epoch)
        return err_note(ERR_FENCED, "producer %lld speaks with epoch %d, but epoch %d has begun",
                        (long long)head->producer_id, head->producer_epoch, known->epoch);
    if (head->producer_epoch > known->epoch)
        return head->sequence == 0
                   ? ERR_OK
                   : err_note(ERR_SEQUENCE, "producer %lld begins epoch %d with sequence %d",
                              (long long)head->producer_id, head->producer_epoch, head->sequence);
    if (known->count == 0)
        return ERR_OK;
    for (int i = known->count - 1; i >= 0; i--) {
        if (known->batches[i].first_sequence == head->sequence &&
            known->batches[i].last_sequence == last_sequence) {
            *first_offset = known->batches[i].base_offset;
            return ERR_DUPLICATE;
        }
    }
    last = &known->batches[known->count - 1];
    if (head->sequence != sequence_add(last->last_sequence, 1))
        return err_note(ERR_SEQUENCE, "producer %lld sends sequence %d after %d",
                        (long long)head->producer_id, head->sequence, last->last_sequence);
    return ERR_OK;
}

void producers_note(struct producers *producers, const struct batch_head *head, int64_t now_ms)
{
    struct producer *producer = slot_of(producers, head->producer_id);

    if (producer->id < 0) {
        *producer = (struct producer){.id = head->producer_id, .epoch = head->producer_epoch};
        producers->count++;
        assert(producers->count < producers->room);
    }
    if (producer->epoch != head->producer_epoch) {
        producer->epoch = head->producer_epoch;
        producer->count = 0;
    }
    if (producer->count == PRODUCER_BATCHES) {
        memmove(producer->batches, producer->batches + 1,
                sizeof(producer->batches) - sizeof(*producer->batches));
        producer->count--;
    }
    producer->batches[producer->count++] = (struct producer_batch){
        head->sequence, sequence_add(head->sequence, head->count - 1), head->base_offset};
    producer->last_ms = now_ms;
}

enum err producers_replay(struct producers *producers, const struct batch_head *head, int64_t now_ms)
{
    enum err err = make_room(producers, now_ms);

    if (!err)
        producers_note(producers, head, now_ms);
    return err;
}

enum err producers_store(const struct producers *producers, struct buf *out)
{
    for (size_t i = 0; i < producers->room; i++) {
        const struct producer *producer = &producers->slots[i];
        uint8_t stored[PRODUCER_STORED_BYTES] = {0};
        enum err err;
        if (producer->id < 0)
            continue;
        put_u64(stored, (uint64_t)producer->id);
        put_u64(stored + 8, (uint64_t)producer->last_ms);
        put_u16(stored + 16, (uint16_t)producer->epoch);
        put_u16(stored + 18, producer->count);
        for (int b = 0; b < producer->count; b++) {
            put_u32(stored + 20 + b * 16, (uint32_t)producer->batches[b].first_sequence);
            put_u32(stored + 24 + b * 16, (uint32_t)producer->batches[b].last_sequence);
            put_u64(stored + 28 + b * 16, (uint64_t)producer->batches[b].base_offset);
        }
        err = buf_add(out, stored, sizeof(stored));
        if (err)
            return err;
    }
    return ERR_OK;
}

enum err producers_restore(struct producers *producers, const uint8_t *at, size_t count, int64_t end_offset)
{
    for (; count > 0; count--, at += PRODUCER_STORED_BYTES) {
        struct producer producer = {.id = (int64_t)get_u64(at),
                                    .last_ms = (int64_t)get_u64(at + 8),
                                    .epoch = (int16_t)get_u16(at + 16)};
        uint16_t batches = get_u16(at + 18);
        enum err err;
        if (producer.id < 0 || batches > PRODUCER_BATCHES)
            return err_note(ERR_CORRUPT, "the state of a producer is malformed");
        for (int b = 0; b < batches; b++) {
            struct producer_batch batch = {(int32_t)get_u32(at + 20 + b * 16),
                                           (int32_t)get_u32(at + 24 + b * 16),
                                           (int64_t)get_u64(at + 28 + b * 16)};
            if (batch.base_offset < end_offset)
                producer.batches[producer.count++] = batch;
        }
        err = make_room(producers, producer.last_ms);
        if (err)
            return err;
        struct producer *slot = slot_of(producers, producer.id);
        producers->count += slot->id < 0;
        *slot = producer;
    }
    return ERR_OK;
}
