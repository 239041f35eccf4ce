/* commands.c - every command: name, what runs it, a line of help, operands, options, examples. */
#include "cli/cli_commands.h"

const struct command commands[] = {
    {"topic",      command_topic,      "create, list, describe or delete topics",                             "create|list|describe|delete [TOPIC]",
     topic_options,                                                                                                                                                   "  pinrail topic list\n  pinrail topic create clicks --partitions 3\n  pinrail topic describe demo.pin"},
    {"tail",       command_tail,       "follow the records of a topic",                                       "TOPIC",                               tail_options,
     "  pinrail tail demo.pin\n  pinrail tail demo.pin --from-beginning --count 10 --json"                                                                                                                                                                                   },
    {NULL,         NULL,               NULL,                                                                  NULL,                                  NULL,            NULL                                                                                                   },
};
