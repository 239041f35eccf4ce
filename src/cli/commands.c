/* commands.c - every command: name, what runs it, a line of help, operands, options, examples. */
#include "cli/cli_commands.h"

const struct command commands[] = {
    {"topic", command_topic, "create, list, describe or delete topics", "create|list|describe|delete [TOPIC]",
     topic_options,
     "  pinrail topic list\n  pinrail topic create clicks --partitions 3\n  pinrail topic describe demo.pin"},
    {NULL, NULL, NULL, NULL, NULL, NULL},
};
