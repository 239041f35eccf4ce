/* main.c - finds the command, runs it, gives its exit status. What a command does is in cli/. */
#include "cli/cli_main.h"

int main(int argc, char **argv)
{
    return cli_main(argc, argv);
}
