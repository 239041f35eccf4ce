/* commands.c - every command: name, what runs it, a line of help, operands, options, examples. */
#include "cli/cli_commands.h"

const struct command commands[] = {
    {"demo", command_demo, "the whole way once: posts in by batch and stream, eight answers out", "",
     demo_options, "  pinrail demo\n  pinrail demo --posts 50000 --keep --data-dir my-demo"},
    {"serve", command_serve, "run the pipeline until stopped", "[ingest|lakehouse]", serve_options,
     "  pinrail serve\n  pinrail serve --data-dir /srv/pinrail --user 12a3410ba3cf\n  pinrail serve ingest "
     "--http 127.0.0.1:0"},
    {"emulate", command_emulate, "post rows as the course's scripts do", "", emulate_options,
     "  pinrail emulate --count 1000\n  pinrail emulate --mode streaming --rate 50 --count 500\n"
     "  pinrail emulate --source db_creds.yaml --order course --count 500"},
    {"topic", command_topic, "create, list, describe or delete topics", "create|list|describe|delete [TOPIC]",
     topic_options,
     "  pinrail topic list\n  pinrail topic create clicks --partitions 3\n  pinrail topic describe demo.pin"},
    {"stream", command_stream, "create, list, describe or delete Kinesis streams",
     "create|list|describe|delete [STREAM]", stream_options,
     "  pinrail stream create clicks --shards 2\n  pinrail stream describe streaming-demo-pin"},
    {"tail", command_tail, "follow the records of a topic", "TOPIC", tail_options,
     "  pinrail tail demo.pin\n  pinrail tail demo.pin --from-beginning --count 10 --json"},
    {"batch", command_batch, "clean what is new in the lake and answer the questions", "", batch_options,
     "  pinrail batch"},
    {"sql", command_sql, "query the tables", "QUERY", sql_options,
     "  pinrail sql \"select category, count(*) from pin group by 1 order by 2 desc\"\n"
     "  pinrail sql \"select * from demo_quarantine\" --format json"},
    {"insight", command_insight, "print one answer, or all", "[NAME]", insight_options,
     "  pinrail insight\n  pinrail insight category_by_country --json"},
    {"audit", command_audit, "count every stage; exit 65 when they differ", "", audit_options,
     "  pinrail audit\n  pinrail audit --json"},
    {"table", command_table, "list tables, or the history of one", "list|history [NAME]", table_options,
     "  pinrail table list\n  pinrail table history demo_pin_table"},
    {"quarantine", command_quarantine, "records that were set aside, and why", "list|show",
     quarantine_options, "  pinrail quarantine list\n  pinrail quarantine show --limit 5"},
    {"check", command_check, "is the configuration right, do the far ends answer", "", check_options,
     "  pinrail check"},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
