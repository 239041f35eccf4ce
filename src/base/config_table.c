/* config_table.c - every setting: name, type, default, range, help. */
#include "base/config.h"

const struct setting config_settings[] = {
    /* where and who */
    {"data.dir", SETTING_TEXT, "pinrail-data", "",
     "folder for everything pinrail keeps: log, lake, tables, run"},
    {"user", SETTING_TEXT, "demo", "",
     "user name: topics USER.pin, ..., streams streaming-USER-pin, tables USER_pin_table"},
    {"entities", SETTING_TEXT, "pin,geo,user", "",
     "the kinds of record, each with sql/clean/NAME.sql and NAME.yaml"},
    {"http", SETTING_ADDRESS, "127.0.0.1:8082", "",
     "address of the HTTP door (REST Proxy, Kinesis, /streams); port 0 picks one"},
    {"kafka", SETTING_ADDRESS, "127.0.0.1:9092", "", "address of the Kafka door; port 0 picks one"},
    {"page", SETTING_ADDRESS, "127.0.0.1:8080", "", "address of the dashboard; port 0 picks one"},
    {"sql.dir", SETTING_TEXT, "", "",
     "folder with clean/ and insight/ to use in place of the built-in SQL files"},

    {"trace", SETTING_CHOICE, "info", "error|warn|info|debug", "least weight of the lines on stderr"},

    /* the log */
    {"log.segment.bytes", SETTING_SIZE, "256MiB", "1MiB..2GiB", "a segment file is closed at this size"},
    {"message.max.bytes", SETTING_SIZE, "1048588", "1KiB..64MiB", "the largest record batch taken in"},
    {"num.partitions", SETTING_INTEGER, "1", "1..10000", "partitions of topics made without a count"},
    {"auto.create.topics.enable", SETTING_FLAG, "true", "",
     "make unknown topics when a client produces to them or asks for them"},

    /* the doors */
    {"http.body.max.bytes", SETTING_SIZE, "16MiB", "1KiB..1GiB", "the largest request body of the HTTP door"},
    {"http.connections.max", SETTING_INTEGER, "4096", "1..65536", "connections the HTTP door holds at once"},
    {"kafka.connections.max", SETTING_INTEGER, "4096", "1..65536",
     "connections the Kafka door holds at once"},
    {"kafka.request.max.bytes", SETTING_SIZE, "100MiB", "1KiB..1GiB",
     "the largest request of the Kafka door"},
    {"group.initial.rebalance.delay.ms", SETTING_INTEGER, "100", "0..60000",
     "time the first members of a consumer group wait for others to come"},
    {"group.min.session.timeout.ms", SETTING_INTEGER, "1000", "1..1800000",
     "the shortest session timeout a group member may ask for"},
    {"group.max.session.timeout.ms", SETTING_INTEGER, "1800000", "1..86400000",
     "the longest session timeout a group member may ask for"},
    {"kinesis.region", SETTING_TEXT, "us-east-1", "", "region in stream ARNs"},
    {"kinesis.account", SETTING_TEXT, "000000000000", "", "account number in stream ARNs and messages"},

    /* from log to lake */
    {"bootstrap.servers", SETTING_TEXT, "", "",
     "Kafka that the lakehouse reads; default: the Kafka door of this data folder"},
    {"kinesis.endpoint", SETTING_TEXT, "", "",
     "Kinesis that the stream reads; default: the HTTP door of this data folder"},
    {"lake.topics.regex", SETTING_TEXT, "", "", "topics that land in the lake; default: USER\\..*"},
    {"lake.topics.dir", SETTING_TEXT, "topics", "", "first folder of object names"},
    {"lake.flush.size", SETTING_INTEGER, "100000", "1..10000000", "an object is closed at this many records"},
    {"lake.flush.bytes", SETTING_SIZE, "64MiB", "1KiB..1GiB", "an object is closed at this size"},
    {"lake.rotate.interval.ms", SETTING_INTEGER, "-1", "-1..",
     "an object is closed when a record's time is this far past its first one's; -1: never"},
    {"lake.rotate.schedule.interval.ms", SETTING_INTEGER, "10000", "-1..",
     "objects are closed at wall-clock multiples of this; -1: never"},
    {"lake.group.id", SETTING_TEXT, "connect-pinrail-lake", "", "consumer group of the lake"},
    {"lake.session.timeout.ms", SETTING_INTEGER, "6000", "1000..300000",
     "a lake that is not heard of for this long loses its partitions to others of its group"},

    /* cleaning, tables */
    {"batch.schedule", SETTING_TEXT, "0 0 * * *", "",
     "cron expression (UTC) of the batch; empty: never by itself"},
    {"batch.chunk.records", SETTING_INTEGER, "400000", "1000..10000000",
     "records that are cleaned and committed together by a batch"},
    {"stream.enable", SETTING_FLAG, "true", "", "clean the streams as records come in"},
    {"stream.trigger.ms", SETTING_INTEGER, "1000", "10..3600000", "time between the stream's micro-batches"},
    {"stream.batch.records", SETTING_INTEGER, "200000", "100..10000000",
     "a micro-batch is committed early at this many records"},
    {"stream.into", SETTING_CHOICE, "stream", "stream|table",
     "tables that the streams fill: USER_pin_stream, or the batch's USER_pin_table"},
    {"lakehouse.memory.limit", SETTING_SIZE, "2GiB", "128MiB..",
     "memory that SQL may take before it spills to disk"},
    {"lakehouse.threads", SETTING_INTEGER, "0", "0..1024", "threads for SQL; 0: one a processor"},

    /* answers */
    {"insight.median", SETTING_CHOICE, "lower", "lower|exact",
     "median of an even count: the lower middle value, or the mean of the two"},

    /* schedule */
    {"schedule.retries", SETTING_INTEGER, "1", "0..100", "times a failed scheduled run is tried again"},
    {"schedule.retry.delay.ms", SETTING_INTEGER, "120000", "0..", "time before such a try"},
    {"schedule.catchup", SETTING_FLAG, "true", "",
     "a run missed while nothing was running is made up for at the next start"},

    {NULL, SETTING_TEXT, NULL, NULL, NULL},
};
