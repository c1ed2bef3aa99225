/* Reading acls. */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/lookup.h"
#include "rule/acl_internal.h"
#include "rule/fetch.h"

/* Those that are always there. */
static const struct {
	const char *name;
	const char *words[8];
} predefined[] = {
	{"FALSE", {"always_false"}},
	{"LOCALHOST", {"src", "127.0.0.0/8", "::1"}},
	{"RDP_COOKIE", {"req.rdp_cookie_cnt", "gt", "0"}},
	{"REQ_CONTENT", {"req.len", "gt", "0"}},
	{"TRUE", {"always_true"}},
	{"WAIT_END", {"wait_end"}},
};

/* HAProxy's about HTTP. */
static const char *const http_names[] = {"HTTP", "HTTP_1.0", "HTTP_1.1", "HTTP_2.0", "HTTP_CONTENT",
	"HTTP_URL_ABS", "HTTP_URL_SLASH", "HTTP_URL_STAR", "METH_CONNECT", "METH_DELETE", "METH_GET",
	"METH_HEAD", "METH_OPTIONS", "METH_POST", "METH_PUT", "METH_TRACE"};

static bool is_http(const char *name)
{
	for (size_t i = 0; i < ARRAY_LENGTH(http_names); i++) {
		if (strcmp(http_names[i], name) == 0)
			return true;
	}
	return false;
}

/* What stands before the values. */
struct flags {
	enum rule_match match;
	bool has_match, ignores_case, has_files, is_ended;
	const char *files[16];
	unsigned files_count;
};

static int match_parse(const char *word, struct flags *flags, struct text *complaint)
{
	struct lookup_nearest nearest = lookup_nearest_begin(word);
	for (unsigned i = 0; i < MATCHES; i++) {
		if (strcmp(match_rows[i].name, word) == 0) {
			flags->match = (enum rule_match)i;
			flags->has_match = true;
			return 0;
		}
		lookup_nearest_try(&nearest, match_rows[i].name);
	}
	text_printf(complaint, "'-m' does not know '%s'", word);
	if (nearest.name != NULL)
		text_printf(complaint, ", did you mean '%s'?", nearest.name);
	return -EINVAL;
}

/* A flag with its argument; returns the words taken, or -EINVAL. */
static int flag_parse(const char *const *words, struct flags *flags, struct text *complaint)
{
	const char *flag = words[0];
	bool takes_word = strcmp(flag, "-m") == 0 || strcmp(flag, "-f") == 0;
	if (takes_word && (words[1] == NULL || words[1][0] == '\0')) {
		text_printf(complaint, "'%s' needs a word after it", flag);
		return -EINVAL;
	}
	if (strcmp(flag, "-m") == 0)
		return match_parse(words[1], flags, complaint) < 0 ? -EINVAL : 2;
	if (strcmp(flag, "-f") == 0) {
		if (flags->files_count == ARRAY_LENGTH(flags->files)) {
			text_printf(complaint, "more than %zu files", ARRAY_LENGTH(flags->files));
			return -EINVAL;
		}
		flags->files[flags->files_count++] = words[1];
		return 2;
	}
	if (strcmp(flag, "-i") == 0)
		flags->ignores_case = true;
	else if (strcmp(flag, "--") == 0)
		flags->is_ended = true;
	else if (strcmp(flag, "-n") != 0) {
		text_printf(complaint, "there is no flag '%s': there are -f, -i, -m, -n and --", flag);
		return -EINVAL;
	}
	return 1;
}

/* "-5" is a value. */
static bool is_flag(const char *word)
{
	return word[0] == '-' && (word[1] < '0' || word[1] > '9') && word[1] != '\0';
}

static int flags_parse(const char *const **words, struct flags *flags, struct text *complaint)
{
	while (!flags->is_ended && **words != NULL && is_flag(**words)) {
		int taken = flag_parse(*words, flags, complaint);
		if (taken < 0)
			return -EINVAL;
		*words += taken;
	}
	return 0;
}

static enum rule_match match_for(enum sample_type type)
{
	switch (type) {
	case SAMPLE_BOOL:
		return MATCH_BOOL;
	case SAMPLE_INTEGER:
		return MATCH_INT;
	case SAMPLE_ADDRESS:
		return MATCH_IP;
	case SAMPLE_TEXT:
		return MATCH_STR;
	}
	CHECK(false);
	return MATCH_STR;
}

struct list_lines {
	struct rule_lines lines;
	struct pattern_set *set;
};

static int list_line(struct rule_lines *lines, char *line, struct text *complaint)
{
	return pattern_set_add(((struct list_lines *)(void *)lines)->set, line, "", complaint);
}

static int files_read(
	struct rule_book *book, const struct flags *flags, struct rule_acl *acl, struct text *complaint)
{
	struct list_lines list = {{list_line}, acl->patterns};
	for (unsigned i = 0; i < flags->files_count; i++) {
		if (rule_lines_read(book, flags->files[i], &list.lines, complaint) < 0)
			return -EINVAL;
	}
	return 0;
}

static int values_parse(
	struct rule_book *book, const char *const *words, struct rule_acl *acl, struct text *complaint)
{
	for (; *words != NULL; words++) {
		if (pattern_set_operator(acl->patterns, *words))
			continue;
		if (pattern_set_add(acl->patterns, arena_copy(book->arena, *words), "", complaint) < 0)
			return -EINVAL;
	}
	return 0;
}

/* Flags and values agree with what is asked for. */
static int fit_check(const struct rule_acl *acl, const struct flags *flags, const char *const *values,
	struct text *complaint)
{
	const struct match_row *row = &match_rows[flags->match];
	bool has_values = values[0] != NULL || flags->files_count > 0;
	const char *name = rule_expression_fetch(acl->expression)->name;
	if (!row->fits(rule_expression_type(acl->expression)))
		text_printf(complaint, "'%s' cannot be compared with '-m %s'", name, row->name);
	else if (has_values && !row->takes_patterns)
		text_printf(complaint, "'-m %s' takes no values, and there is '%s'", row->name,
			values[0] != NULL ? values[0] : flags->files[0]);
	else if (!has_values && row->takes_patterns && !flags->is_ended)
		text_printf(complaint,
			"'%s' is compared with nothing and would never match; '-m found' asks whether there is one",
			name);
	else
		return 0;
	return -EINVAL;
}

struct rule_acl *rule_acl_make(
	struct rule_book *book, const char *name, const char *const *words, struct text *complaint)
{
	struct rule_acl *acl = arena_alloc(book->arena, sizeof(*acl));
	struct flags flags = {.has_match = false};
	acl->name = name;
	if (words[0] == NULL) {
		text_add(complaint, "nothing is asked for");
		return NULL;
	}
	if (rule_expression_parse(book, words[0], &acl->expression, complaint) < 0)
		return NULL;
	words++;
	if (flags_parse(&words, &flags, complaint) < 0)
		return NULL;
	if (!flags.has_match)
		flags.match = match_for(rule_expression_type(acl->expression));
	if (fit_check(acl, &flags, words, complaint) < 0)
		return NULL;
	acl->patterns = pattern_set_create(book->arena, flags.match, flags.ignores_case);
	if (files_read(book, &flags, acl, complaint) < 0 || values_parse(book, words, acl, complaint) < 0)
		return NULL;
	pattern_set_finish(acl->patterns);
	return acl;
}

static bool has_bad_character(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.:";
	return name[0] == '\0' || name[strspn(name, allowed)] != '\0';
}

int rule_acl_add(struct rule_book *book, const char *name, const char *const *words, struct text *complaint)
{
	if (has_bad_character(name)) {
		text_printf(complaint,
			"the name '%s' has other characters than letters, digits, '-', '_', '.' and ':'",
			name);
		return -EINVAL;
	}
	if (strcmp(name, "or") == 0 || rule_is_condition(name)) {
		text_printf(complaint, "an acl cannot be named '%s'", name);
		return -EINVAL;
	}
	struct rule_acl *acl = rule_acl_make(book, arena_copy(book->arena, name), words, complaint);
	if (acl == NULL)
		return -EINVAL;
	acl->next = book->acls;
	book->acls = acl;
	return 0;
}

static const struct rule_acl *find(const struct rule_acl *acl, const char *name)
{
	while (acl != NULL && strcmp(acl->name, name) != 0)
		acl = acl->next;
	return acl;
}

static void complain_unknown(const struct rule_book *book, const char *name, struct text *complaint)
{
	struct lookup_nearest nearest = lookup_nearest_begin(name);
	if (is_http(name)) {
		text_printf(
			complaint, "'%s' is for HTTP, which spliced does not carry (mode tcp only)", name);
		return;
	}
	for (const struct rule_acl *acl = book->acls; acl != NULL; acl = acl->next)
		lookup_nearest_try(&nearest, acl->name);
	for (size_t i = 0; i < ARRAY_LENGTH(predefined); i++)
		lookup_nearest_try(&nearest, predefined[i].name);
	text_printf(complaint, "there is no acl '%s' above this line", name);
	if (nearest.name != NULL)
		text_printf(complaint, ", did you mean '%s'?", nearest.name);
}

const struct rule_acl *rule_acl_find(struct rule_book *book, const char *name, struct text *complaint)
{
	const struct rule_acl *acl = find(book->acls, name);
	if (acl != NULL)
		return acl;
	for (size_t i = 0; i < ARRAY_LENGTH(predefined); i++) {
		if (strcmp(predefined[i].name, name) == 0)
			return rule_acl_make(book, predefined[i].name, predefined[i].words, complaint);
	}
	complain_unknown(book, name, complaint);
	return NULL;
}

const struct rule_acl *rule_acl_other(const struct rule_acl *acl)
{
	return find(acl->next, acl->name);
}
