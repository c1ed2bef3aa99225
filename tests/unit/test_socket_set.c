/* Sockets bound before: kept once, found by how they are bound, sent and received. */
#include <sys/stat.h>
#include <sys/wait.h>

#include "net/socket_set.h"
#include "net_fixtures.h"

static const struct socket_label no_label = {.text = ""};

static int socket_bound(const char *text, bool is_v6only)
{
	struct address address = fixture_address(text);
	int fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	assert_true(fd >= 0);
	if (address.any.sa_family != AF_UNIX)
		assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	if (is_v6only)
		assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	assert_int_equal(bind(fd, &address.any, address.len), 0);
	return fd;
}

static struct address address_of(int fd)
{
	struct address address = {.len = sizeof(struct sockaddr_un)};
	assert_int_equal(getsockname(fd, &address.any, &address.len), 0);
	return address;
}

static void a_socket_is_kept_once(void **state)
{
	struct socket_set set = {0};
	int fd = socket_bound("127.0.0.1", false);
	(void)state;
	assert_int_equal(socket_set_add_copy(&set, fd, &no_label), 0);
	assert_int_equal(socket_set_add(&set, fd, &no_label), 0);
	assert_int_equal(set.count, 1);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
	socket_set_release(&set);
	assert_int_equal(set.count, 0);
}

static void all_members_of_a_group_are_found(void **state)
{
	struct socket_set set = {0};
	struct socket_label label;
	(void)state;
	int first = socket_bound("127.0.0.1", false);
	struct address address = address_of(first);
	char text[ADDRESS_TEXT_MAX];
	address_print(&address, text, sizeof(text));
	int second = socket_bound(text, false);
	assert_int_equal(socket_set_add(&set, first, &no_label), 0);
	assert_int_equal(socket_set_add(&set, socket_bound("127.0.0.1", false), &no_label), 0);
	assert_int_equal(socket_set_add(&set, second, &no_label), 0);
	const struct socket_wanted wanted = {.address = &address, .number = -1};
	assert_int_equal(socket_set_take(&set, &wanted, &label), first);
	assert_int_equal(socket_set_take(&set, &wanted, &label), second);
	assert_int_equal(socket_set_take(&set, &wanted, &label), -ENOENT);
	close(first);
	close(second);
	socket_set_release(&set);
}

static void what_is_bound_otherwise_is_left(void **state)
{
	struct socket_set set = {0};
	struct socket_label label;
	int fd = socket_bound("[::1]", true);
	struct address address = address_of(fd), other = address;
	(void)state;
	address_set_port(&other, (uint16_t)(address_port(&address) + 1));
	const struct socket_wanted cases[] = {
		{.address = &other, .number = -1, .is_v6only = true},
		{.address = &address, .number = -1, .is_v4v6 = true},
		{.address = &address, .number = -1, .is_v6only = true, .interface = "lo"},
		{.address = &address, .number = -1, .is_v6only = true, .is_transparent = true},
	};
	assert_int_equal(socket_set_add(&set, fd, &no_label), 0);
	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++)
		assert_int_equal(socket_set_take(&set, &cases[i], &label), -ENOENT);
	const struct socket_wanted right = {.address = &address, .number = -1, .is_v6only = true};
	assert_int_equal(socket_set_take(&set, &right, &label), fd);
	close(fd);
	socket_set_release(&set);
}

static void a_unix_socket_is_found_by_its_path_while_that_is_its_own(void **state)
{
	char folder[] = "/tmp/spliced-set-XXXXXX", path[64], elsewhere[64];
	struct socket_set set = {0};
	struct stat status;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a", folder);
	snprintf(elsewhere, sizeof(elsewhere), "%s/b", folder);
	int fd = socket_bound(elsewhere, false);
	assert_int_equal(rename(elsewhere, path), 0);
	assert_int_equal(stat(path, &status), 0);
	struct socket_label label = {.path_device = status.st_dev, .path_inode = status.st_ino}, got;
	snprintf(label.text, sizeof(label.text), "%s", path);
	assert_int_equal(socket_set_add(&set, fd, &label), 0);
	struct address address = fixture_address(path);
	const struct socket_wanted wanted = {.address = &address, .label = path, .number = -1};
	assert_int_equal(socket_set_take(&set, &wanted, &got), fd);
	assert_int_equal(got.path_inode, status.st_ino);
	/* Another process has put its own there meanwhile. */
	assert_int_equal(socket_set_add(&set, fd, &label), 0);
	int other = socket_bound(elsewhere, false);
	assert_int_equal(rename(elsewhere, path), 0);
	assert_int_equal(socket_set_take(&set, &wanted, &got), -ENOENT);
	socket_set_remove_files(&set, NULL);
	assert_int_equal(access(path, F_OK), 0);
	close(other);
	socket_set_release(&set);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void files_of_what_is_left_are_removed(void **state)
{
	char folder[] = "/tmp/spliced-set-XXXXXX", path[64];
	struct socket_set set = {0}, kept = {0};
	struct stat status;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a", folder);
	int fd = socket_bound(path, false);
	assert_int_equal(stat(path, &status), 0);
	struct socket_label label = {.path_device = status.st_dev, .path_inode = status.st_ino};
	snprintf(label.text, sizeof(label.text), "%s", path);
	assert_int_equal(socket_set_add_copy(&set, fd, &label), 0);
	assert_int_equal(socket_set_add(&kept, fd, &label), 0);
	socket_set_remove_files(&set, &kept);
	assert_int_equal(access(path, F_OK), 0);
	socket_set_remove_files(&set, NULL);
	assert_int_equal(access(path, F_OK), -1);
	socket_set_release(&set);
	socket_set_release(&kept);
	assert_int_equal(rmdir(folder), 0);
}

/* More than the kernel holds at once: the receiver has to take some meanwhile. */
static void a_large_set_goes_from_process_to_process(void **state)
{
	enum { SOCKETS = 600 };
	int kinds[] = {SOCK_STREAM, SOCK_SEQPACKET};
	(void)state;
	(void)fd_limit_raise(SOCKETS + 100);
	for (size_t kind = 0; kind < ARRAY_LENGTH(kinds); kind++) {
		int ends[2], status = -1;
		struct socket_set set = {0};
		assert_int_equal(socketpair(AF_UNIX, kinds[kind] | SOCK_CLOEXEC, 0, ends), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			for (unsigned i = 0; i < SOCKETS; i++) {
				struct socket_label label = {.path_inode = i + 1};
				snprintf(label.text, sizeof(label.text), "fd@%u", i);
				if (socket_set_add(&set, socket(AF_INET, SOCK_STREAM, 0), &label) != 0)
					_exit(2);
			}
			_exit(socket_set_send(&set, ends[1]) == 0 ? 0 : 1);
		}
		close(ends[1]);
		assert_int_equal(socket_set_receive(&set, ends[0]), 0);
		assert_int_equal(set.count, SOCKETS);
		for (unsigned i = 0; i < SOCKETS; i++) {
			assert_int_equal(set.entries[i].label.path_inode, i + 1);
			assert_int_equal(fcntl(set.entries[i].fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		socket_set_release(&set);
		close(ends[0]);
	}
}

static void other_bytes_and_ends_are_told_apart(void **state)
{
	int ends[2];
	struct socket_set set = {0};
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(socket_set_receive_next(&set, ends[0]), -EAGAIN);
	assert_int_equal(write(ends[1], "Permission denied\n", 18), 18);
	assert_int_equal(socket_set_receive(&set, ends[0]), -EPROTO);
	close(ends[1]);
	assert_int_equal(socket_set_receive(&set, ends[0]), -ECONNRESET);
	close(ends[0]);
	socket_set_release(&set);
}

static void passed_sockets_are_ours_when_the_environment_says_so(void **state)
{
	char number[16];
	struct socket_set set = {0};
	struct socket_label label;
	struct address none = {.len = 0};
	int was = dup(3), fd = socket_bound("127.0.0.1", false);
	(void)state;
	assert_int_equal(dup2(fd, 3), 3);
	setenv("LISTEN_FDS", "1", 1);
	setenv("LISTEN_FDNAMES", "web", 1);
	setenv("LISTEN_PID", "1", 1);
	assert_int_equal(socket_set_add_passed(&set, false), 0);
	assert_int_equal(set.count, 0);
	snprintf(number, sizeof(number), "%d", getppid());
	setenv("LISTEN_PID", number, 1);
	assert_int_equal(socket_set_add_passed(&set, true), 0);
	assert_int_equal(set.count, 1);
	const struct socket_wanted by_number = {.address = &none, .label = "fd@9", .number = 3};
	const struct socket_wanted by_name = {.address = &none, .label = "fd@web", .number = -1};
	const struct socket_wanted other = {.address = &none, .label = "fd@4", .number = 4};
	assert_int_equal(socket_set_take(&set, &other, &label), -ENOENT);
	assert_int_equal(socket_set_take(&set, &by_number, &label), 3);
	set.entries[0].fd = 3;
	assert_int_equal(socket_set_take(&set, &by_name, &label), 3);
	close(fd);
	if (was >= 0) {
		assert_int_equal(dup2(was, 3), 3);
		close(was);
	} else {
		close(3);
	}
	socket_set_release(&set);
	unsetenv("LISTEN_PID");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_socket_is_kept_once),
		cmocka_unit_test(all_members_of_a_group_are_found),
		cmocka_unit_test(what_is_bound_otherwise_is_left),
		cmocka_unit_test(a_unix_socket_is_found_by_its_path_while_that_is_its_own),
		cmocka_unit_test(files_of_what_is_left_are_removed),
		cmocka_unit_test(a_large_set_goes_from_process_to_process),
		cmocka_unit_test(other_bytes_and_ends_are_told_apart),
		cmocka_unit_test(passed_sockets_are_ours_when_the_environment_says_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
