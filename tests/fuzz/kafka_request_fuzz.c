/* Any bytes as one request of the Kafka door, through the whole door: socket, framing, decoder, handler, a real log and
 * real groups. The door must answer or close the connection, and hold nothing afterwards; sanitizers watch the rest.
 * Seeds are requests recorded from kcat, kafka-python and Kafka's Java tools. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/trace.h"
#include "gateway/kafka_door.h"

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size);

enum { REQUEST_MOST = 64 << 10, KEY_CREATE_TOPICS = 19, KEY_CREATE_PARTITIONS = 37 };

static struct kafka_door door;

static void require(bool what)
{
    if (!what) {
        fprintf(stderr, "%s\n", err_sentence());
        abort();
    }
}

static char dir[] = "/tmp/kafka-request-fuzz-XXXXXX";

static void clean_up(void)
{
    log_close(door.log);
    (void)disk_remove_tree(disk_real(), dir);
}

static void open_door(void)
{
    static const char *const flags[] = {"num.partitions", "2"};
    struct log_options log_options = {.dir = dir, .disk = disk_real()};
    struct group_options group_options = {0, 1, 60000, -1};
    struct config *config = NULL;

    trace_set_level(TRACE_ERROR);
    require(mkdtemp(dir) && !config_load(&config, NULL, flags, 1));
    require(!log_open(&door.log, &log_options) && !groups_open(&door.groups, &group_options));
    atexit(clean_up);
    require(!log_topic_create(door.log, "golden", 1, NULL, 0));
    door.config = config;
    door.base = event_base_new();
    door.request_most = REQUEST_MOST;
    door.connections_metric = metric_gauge("c", "", "");
    door.in_metric = metric_counter("i", "", "");
    door.out_metric = metric_counter("o", "", "");
    door.request_metrics = calloc(kafka_api_count, sizeof(*door.request_metrics));
    require(door.base && door.request_metrics);
    for (size_t i = 0; i < kafka_api_count; i++)
        door.request_metrics[i] = metric_counter("r", "", "");
}

/* Ten thousand partitions are as many files: only have such requests checked. */
static void only_validate(uint8_t *request, size_t size)
{
    const struct kafka_api *api = kafka_api_find((int16_t)get_u16(request));
    bool flexible = api && (int16_t)get_u16(request + 2) >= api->flexible;

    if (!api || (api->key != KEY_CREATE_TOPICS && api->key != KEY_CREATE_PARTITIONS))
        return;
    request[size - 1] = !flexible;
    if (flexible)
        request[size - 2] = 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *at, size_t size)
{
    static uint8_t frame[4 + REQUEST_MOST];
    int ends[2];

    if (!door.base)
        open_door();
    if (size < 8 || size > REQUEST_MOST / 2)
        return 0;
    put_u32(frame, (uint32_t)size);
    memcpy(frame + 4, at, size);
    only_validate(frame + 4, size);
    require(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    require(!kafka_connection_open(&door, ends[0]));
    require(write(ends[1], frame, 4 + size) == (ssize_t)(4 + size));
    event_base_loop(door.base, EVLOOP_NONBLOCK);
    event_base_loop(door.base, EVLOOP_NONBLOCK);
    close(ends[1]);
    while (door.connections)
        event_base_loop(door.base, EVLOOP_ONCE);
    require(!door.parked && door.unsent_bytes == 0 && door.connection_count == 0);
    groups_tick(door.groups, INT64_MAX / 2);
    return 0;
}
