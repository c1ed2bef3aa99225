/* What the parts of the printed manual share.  Private to config/. */
#pragma once

#include <stdio.h>

/* Text for mdoc: short lines, and each sentence on a new one.  No line feed at the end. */
void reference_print_text(FILE *out, const char *text);
/* The chapter about acls and conditions. */
void reference_print_rules(FILE *out);
