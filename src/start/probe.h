/* --probe: a report for the operator on what this machine allows. */
#pragma once

/* On standard output: each engine with what it needs, what is missing, and the remedy. */
void probe_print(void);
