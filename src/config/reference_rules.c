/* The manual's chapter about acls, what they may ask for, and what can be made of it. */
#include "config/reference.h"
#include "rule/converter.h"
#include "rule/fetch.h"
#include "rule/pattern.h"

static const char *const type_names[] = {
	[SAMPLE_BOOL] = "boolean",
	[SAMPLE_INTEGER] = "number",
	[SAMPLE_ADDRESS] = "address",
	[SAMPLE_TEXT] = "text",
};

static void print_item(FILE *out, const char *name, const char *arguments)
{
	fprintf(out, ".It Ic \"%s", name);
	if (arguments != NULL)
		fprintf(out, "(%s)", arguments);
	fputs("\"\n", out);
}

static void print_fetches(FILE *out)
{
	fputs(".Ss Samples\n"
	      "What can be asked of a connection.\n"
	      "Frontend and backend may be left out where they are the connection's own.\n"
	      ".Bl -tag -width Ds\n",
		out);
	for (const struct fetch *fetch = fetches; fetch->name != NULL; fetch++) {
		print_item(out, fetch->name, fetch->arguments);
		reference_print_text(out, fetch->sentence);
		fprintf(out, "\nA %s%s.\n", type_names[fetch->type],
			fetch->needs_bytes ? ", of the client's first bytes" : "");
		if (fetch->alias != NULL)
			fprintf(out, "Also\n.Ql %s .\n", fetch->alias);
	}
	fputs(".El\n", out);
}

static void print_converters(FILE *out)
{
	fputs(".Ss Converters\n"
	      "Each is put behind a sample with a comma, and makes another value of it.\n"
	      "Files of maps are read once, at start.\n"
	      ".Bl -tag -width Ds\n",
		out);
	for (const struct converter *converter = converters; converter->name != NULL; converter++) {
		print_item(out, converter->name, converter->arguments);
		reference_print_text(out, converter->sentence);
		fprintf(out, "\nFrom %s to %s.\n", type_names[converter->from], type_names[converter->to]);
		if (converter->alias != NULL)
			fprintf(out, "Also\n.Ql %s .\n", converter->alias);
	}
	fputs(".El\n", out);
}

void reference_print_rules(FILE *out)
{
	fputs(".Sh ACLS AND CONDITIONS\n"
	      "A condition is\n.Ic if\nor\n.Ic unless\n"
	      "with names of acls, or acls without a name in braces that stand as words.\n"
	      "All of them must hold;\n.Ql \\&!\nbefore one turns it around, and\n.Ic or\nor\n.Ql ||\n"
	      "parts groups of which one is enough.\n"
	      ".Pp\n"
	      "An acl is a sample, flags, and values of which one is enough:\n"
	      ".Bl -tag -width Ds\n"
	      ".It Fl i\nletters are equal whether small or capital (ASCII; in regular expressions too)\n"
	      ".It Fl m Ar method\nhow to compare, see below\n"
	      ".It Fl f Ar file\nvalues are the file's lines, but for empty ones and those that begin with\n.Ql # ;\n"
	      "it is read once, at start, and may have a hundred thousand and more\n"
	      ".It Fl n\naccepted: names are never looked up\n"
	      ".It Fl -\nends the flags\n"
	      ".El\n"
	      ".Pp\n"
	      "What is asked for and is not there does not hold, so that\n.Ql \\&!\nbefore it does.\n"
	      "There are always\n.Ql TRUE ,\n.Ql FALSE ,\n.Ql LOCALHOST ,\n.Ql REQ_CONTENT ,\n.Ql RDP_COOKIE\nand\n.Ql WAIT_END .\n",
		out);
	print_fetches(out);
	print_converters(out);
	fputs(".Ss Comparing\n"
	      "How a sample is compared is said by\n.Fl m ;\n"
	      "without it booleans are taken as they are, numbers compared with int,\n"
	      "addresses with ip and texts with str.\n"
	      ".Bl -tag -width Ds\n",
		out);
	for (unsigned i = 0; i < MATCHES; i++) {
		print_item(out, match_rows[i].name, NULL);
		reference_print_text(out, match_rows[i].sentence);
		fputc('\n', out);
	}
	fputs(".El\n", out);
}
