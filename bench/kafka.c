/* bench-kafka: produces generated posts to a Kafka with librdkafka and waits for every delivery report.
 *
 *     bench-kafka HOST:PORT TOPIC RECORDS RECORDS_PER_BATCH
 *
 * One JSON line: records, seconds, records_per_second, failed, cpu_seconds (our own). Batches are what librdkafka makes of
 * batch.num.messages; acks=all. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "source/source.h"

enum { BODIES = 1000 };

static long delivered, failed;

static void on_delivery(rd_kafka_t *kafka, const rd_kafka_message_t *message, void *arg)
{
    if (message->err)
        failed++;
    else
        delivered++;
}

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char reason[256];

    if (rd_kafka_conf_set(conf, name, value, reason, sizeof(reason))) {
        fprintf(stderr, "bench-kafka: %s\n", reason);
        exit(64);
    }
}

/* The same thousand pins again and again: making them must not be what is measured. */
static void make_bodies(struct bytes bodies[BODIES])
{
    struct source_options options = {.url = "demo", .seed = 7};
    struct source *source = NULL;
    struct post post;

    if (source_open(&source, &options))
        exit(70);
    for (int i = 0; i < BODIES; i++) {
        if (source_next(source, &post))
            exit(70);
        uint8_t *copy = malloc(post.pin.size);
        if (!copy)
            exit(71);
        memcpy(copy, post.pin.at, post.pin.size);
        bodies[i] = bytes_of(copy, post.pin.size);
    }
    source_close(source);
}

int main(int argc, char **argv)
{
    static struct bytes bodies[BODIES];
    char reason[256];
    struct rusage usage;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_t *kafka;
    rd_kafka_topic_t *topic;
    long records;
    double seconds;
    int64_t start;

    if (argc != 5) {
        fprintf(stderr, "usage: bench-kafka HOST:PORT TOPIC RECORDS RECORDS_PER_BATCH\n");
        return 64;
    }
    records = atol(argv[3]);
    set(conf, "bootstrap.servers", argv[1]);
    set(conf, "batch.num.messages", argv[4]);
    set(conf, "linger.ms", "5");
    set(conf, "acks", "all");
    set(conf, "queue.buffering.max.messages", "200000");
    rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
    make_bodies(bodies);
    kafka = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof(reason));
    if (!kafka) {
        fprintf(stderr, "bench-kafka: %s\n", reason);
        return 70;
    }
    topic = rd_kafka_topic_new(kafka, argv[2], NULL);
    start = clock_steady_us();
    for (long i = 0; i < records; i++) {
        const struct bytes *body = &bodies[i % BODIES];
        while (rd_kafka_produce(topic, RD_KAFKA_PARTITION_UA, 0, (void *)body->at, body->size, NULL, 0, NULL))
            rd_kafka_poll(kafka, 10); /* the queue is full */
        if (i % 1000 == 0)
            rd_kafka_poll(kafka, 0);
    }
    while (delivered + failed < records)
        rd_kafka_poll(kafka, 100);
    seconds = (double)(clock_steady_us() - start) / 1e6;
    getrusage(RUSAGE_SELF, &usage);
    printf("{\"records\":%ld,\"failed\":%ld,\"seconds\":%.4f,\"records_per_second\":%.0f,\"cpu_seconds\":%."
           "3f}\n",
           delivered, failed, seconds, (double)delivered / seconds,
           (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
    rd_kafka_topic_destroy(topic);
    rd_kafka_destroy(kafka);
    for (int i = 0; i < BODIES; i++)
        free((void *)bodies[i].at);
    return failed > 0;
}
