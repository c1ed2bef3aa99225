/* The commands of splicebench, one function each: words[0] is the command's name.
 * They return the exit status: 0, 1 when something failed or bytes were wrong, 2 for
 * wrong flags. */
#pragma once

int command_serve(int count, char **words);
int command_bulk(int count, char **words);
int command_pingpong(int count, char **words);
int command_churn(int count, char **words);
int command_idle(int count, char **words);
int command_dribble(int count, char **words);
int command_incast(int count, char **words);
int command_echo(int count, char **words);
int command_burst(int count, char **words);
int command_watch(int count, char **words);
