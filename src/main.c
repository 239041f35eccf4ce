/* main.c - arguments, the command, the exit status. What a command does is in cli/. */
#include <stdio.h>
#include <sysexits.h>

int main(int argc, char **argv)
{
    fprintf(stderr, "usage: %s COMMAND\n", argc > 0 ? argv[0] : "pinrail");
    return EX_USAGE;
}
