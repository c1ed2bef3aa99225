/* Which kernels' sockmap keeps every byte.
 *
 * Before these releases a redirect that finds the target's buffer full loses or repeats
 * bytes, or the kernel panics (in Linux 6.16: "bpf, sockmap: Fix data lost during EAGAIN
 * retries", "fix duplicated data transmission", "Fix panic when calling skb_linearize"). */

#include <stdlib.h>
#include <string.h>

#include "bpf/sockmap.h"

struct release {
	unsigned long major, minor, patch;
};

/* Long-term branches that got the mendings, and from which release on; without a row a
 * branch before the first whole one counts as broken. */
static const struct release mended[] = {{6, 1, 147}, {6, 12, 35}};
static const struct release whole = {6, 16, 0};

/* "MAJOR.MINOR[.PATCH]…" */
static bool release_read(const char *text, struct release *ret_release)
{
	unsigned long numbers[3] = {0};
	for (unsigned i = 0; i < ARRAY_LENGTH(numbers); i++) {
		char *end;
		numbers[i] = strtoul(text, &end, 10);
		if (end == text)
			return false;
		text = end + 1;
		if (*end != '.' && i == 0)
			return false;
		if (*end != '.')
			break;
	}
	*ret_release = (struct release){numbers[0], numbers[1], numbers[2]};
	return true;
}

static bool is_not_before(const struct release *a, const struct release *b)
{
	if (a->major != b->major)
		return a->major > b->major;
	if (a->minor != b->minor)
		return a->minor > b->minor;
	return a->patch >= b->patch;
}

bool sockmap_kernel_is_fit(const char *release_text, const char *version)
{
	struct release release;
	/* Debian's release is the name of an interface; its version names what it was built from. */
	const char *debian = strstr(version, "Debian ");
	if (debian == NULL || !release_read(debian + strlen("Debian "), &release)) {
		if (!release_read(release_text, &release))
			return false;
	}
	if (is_not_before(&release, &whole))
		return true;
	for (size_t i = 0; i < ARRAY_LENGTH(mended); i++)
		if (release.major == mended[i].major && release.minor == mended[i].minor)
			return release.patch >= mended[i].patch;
	return false;
}
