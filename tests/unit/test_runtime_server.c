/* runtime_server.c, runtime_client.c and admin_socket.c */
#include <errno.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "admin_fixtures.h"
#include "base/log.h"

static struct config_stats_socket stats_socket;

static struct admin_fixture *fixture_listening(void)
{
	struct admin_fixture *fixture = calloc(1, sizeof(*fixture));
	assert_non_null(fixture);
	stats_socket =
		(struct config_stats_socket){.mode = 0600, .uid = -1, .gid = -1, .level = CONFIG_LEVEL_ADMIN};
	stats_socket.address.local.sun_family = AF_UNIX;
	snprintf(stats_socket.address.local.sun_path, sizeof(stats_socket.address.local.sun_path),
		"/tmp/test-runtime-%d", getpid());
	stats_socket.address.len = sizeof(stats_socket.address.local);
	admin_fixture_configure(fixture);
	fixture->config.global.stats_sockets = &stats_socket;
	admin_fixture_open(fixture);
	return fixture;
}

static int client_connect(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, &stats_socket.address.any, stats_socket.address.len), 0);
	return fd;
}

static void client_send(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
}

/* Reads until the end or until so many passes bring nothing more. */
static bool client_read(struct admin_fixture *fixture, int fd, char *ret_text, size_t size)
{
	size_t len = 0;
	ssize_t got = -1;
	for (unsigned quiet = 0; quiet < 20 && got != 0; quiet++) {
		loop_run_once(fixture->loop, 0);
		got = recv(fd, ret_text + len, size - 1 - len, 0);
		if (got > 0) {
			len += (size_t)got;
			quiet = 0;
		}
	}
	ret_text[len] = '\0';
	return got == 0;
}

static const struct {
	const char *name, *sent, *answer;
	bool is_closed;
} dialogues[] = {
	{"one line is answered and the connection closed", "show cli level\n", "admin\n\n", true},
	{"a second line is not read", "show cli level\nshow backend\n", "admin\n\n", true},
	{"several commands fit in a line", "show cli level;show backend\n", "admin\n\n# name\nrelayed\n\n",
		true},
	{"a command without answer ends with an empty line", "set weight relayed/one 1\n", "\n", true},
	{"quit says nothing", "quit\n", "", true},
	{"quit ends the line too", "quit;show cli level\n", "", true},
	{"half a line waits", "show cli", "", false},
	{"prompt keeps the connection", "prompt\n", "\n> ", false},
	{"prompt is asked again after each command", "prompt\nshow cli level\n", "\n> admin\n\n> ", false},
	{"prompt also asks within a line", "prompt;show cli level\n", "\n> admin\n\n> ", false},
	{"prompt again ends it", "prompt\nprompt\n", "\n> \n", true},
	{"an empty line is asked again", "prompt\n\n", "\n> > ", false},
	{"levels can be given up", "user;show sess\n", "\nPermission denied\n\n", true},
	{"quit ends interactive use too", "prompt\nquit\n", "\n> ", true},
};

static void test_dialogues_are_haproxys(void **state)
{
	(void)state;
	char answer[4096];
	struct admin_fixture *fixture = fixture_listening();
	for (size_t i = 0; i < ARRAY_LENGTH(dialogues); i++) {
		print_message("  %s\n", dialogues[i].name);
		int fd = client_connect();
		client_send(fd, dialogues[i].sent);
		assert_int_equal(client_read(fixture, fd, answer, sizeof(answer)), dialogues[i].is_closed);
		assert_string_equal(answer, dialogues[i].answer);
		close(fd);
		loop_run_once(fixture->loop, 0);
	}
	admin_fixture_destroy(fixture);
}

static void test_the_end_of_input_ends_a_line(void **state)
{
	(void)state;
	char answer[4096];
	struct admin_fixture *fixture = fixture_listening();
	int fd = client_connect();
	client_send(fd, "show cli level");
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	assert_true(client_read(fixture, fd, answer, sizeof(answer)));
	assert_string_equal(answer, "admin\n\n");
	close(fd);
	admin_fixture_destroy(fixture);
}

static void test_an_overlong_line_is_refused(void **state)
{
	(void)state;
	char answer[4096];
	static char line[COMMAND_LINE_MAX + 2];
	struct admin_fixture *fixture = fixture_listening();
	int fd = client_connect();
	memset(line, 'x', sizeof(line) - 1);
	client_send(fd, line);
	assert_true(client_read(fixture, fd, answer, sizeof(answer)));
	assert_non_null(strstr(answer, "longer than 16384 bytes"));
	close(fd);
	admin_fixture_destroy(fixture);
}

static void test_the_socket_has_its_mode_and_goes_away(void **state)
{
	(void)state;
	struct stat status;
	struct admin_fixture *fixture = fixture_listening();
	const char *path = stats_socket.address.local.sun_path;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	admin_fixture_destroy(fixture);
	assert_int_equal(stat(path, &status), -1);
}

static void test_a_file_that_is_no_socket_is_left_alone(void **state)
{
	(void)state;
	struct admin_socket listening;
	struct admin_socket_options options = {.mode = -1, .uid = -1, .gid = -1};
	char path[] = "/tmp/test-no-socket-XXXXXX";
	int file = mkstemp(path);
	assert_true(file >= 0);
	options.address.local.sun_family = AF_UNIX;
	snprintf(options.address.local.sun_path, sizeof(options.address.local.sun_path), "%s", path);
	options.address.len = sizeof(options.address.local);
	assert_int_equal(admin_socket_open(&options, &listening), -EEXIST);
	assert_int_equal(access(path, F_OK), 0);
	(void)unlink(path);
	close(file);
}

/* stats maxconn is 4: of ten clients six wait until others leave. */
static void test_more_clients_than_allowed_wait(void **state)
{
	(void)state;
	enum { SERVED = 4, CLIENTS = 10 };
	char answer[64];
	int fds[CLIENTS];
	struct admin_fixture *fixture = fixture_listening();
	for (unsigned i = 0; i < CLIENTS; i++) {
		fds[i] = client_connect();
		client_send(fds[i], i < SERVED ? "show cli " : "show cli level\n");
	}
	for (unsigned i = SERVED; i < CLIENTS; i++) {
		assert_false(client_read(fixture, fds[i], answer, sizeof(answer)));
		assert_string_equal(answer, "");
	}
	close(fds[0]);
	for (unsigned i = SERVED; i < CLIENTS; i++) {
		assert_true(client_read(fixture, fds[i], answer, sizeof(answer)));
		assert_string_equal(answer, "admin\n\n");
		close(fds[i]);
	}
	for (unsigned i = 1; i < SERVED; i++)
		close(fds[i]);
	admin_fixture_destroy(fixture);
}

/* 3,000 answers of several hundred bytes do not fit in a socket: the client gets
 * them all, in its own time. */
static void test_a_slow_reader_gets_everything(void **state)
{
	(void)state;
	enum { QUESTIONS = 3000 };
	static const char question[] = "show servers state\n";
	static char answer[1 << 21];
	struct admin_fixture *fixture = fixture_listening();
	int fd = client_connect();
	size_t len = 0, sent = 0, total = QUESTIONS * (sizeof(question) - 1);
	client_send(fd, "prompt\n");
	char *questions = malloc(total + 1);
	assert_non_null(questions);
	for (unsigned i = 0; i < QUESTIONS; i++)
		memcpy(questions + i * (sizeof(question) - 1), question, sizeof(question));
	unsigned found = 0;
	for (unsigned quiet = 0; quiet < 50; quiet++) {
		ssize_t pushed = send(fd, questions + sent, total - sent, MSG_NOSIGNAL);
		sent += pushed > 0 ? (size_t)pushed : 0;
		loop_run_once(fixture->loop, 0);
		ssize_t got = recv(fd, answer, 5000, 0);
		for (ssize_t i = 0; i < got; i++)
			found += answer[i] == '#';
		len += got > 0 ? (size_t)got : 0;
		quiet = got > 0 || pushed > 0 ? 0 : quiet;
	}
	assert_int_equal(sent, total);
	assert_int_equal(found, QUESTIONS);
	assert_true(len > QUESTIONS * 400);
	free(questions);
	close(fd);
	admin_fixture_destroy(fixture);
}

static void test_a_client_that_vanishes_is_forgotten(void **state)
{
	(void)state;
	struct admin_fixture *fixture = fixture_listening();
	for (unsigned i = 0; i < 50; i++) {
		int fd = client_connect();
		client_send(fd, "prompt\nshow stat;show stat;show stat;show stat;show stat\n");
		loop_run_once(fixture->loop, 0);
		close(fd);
		loop_run_once(fixture->loop, 0);
	}
	admin_fixture_destroy(fixture);
}

int main(void)
{
	log_set_stderr_level(-1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dialogues_are_haproxys),
		cmocka_unit_test(test_the_end_of_input_ends_a_line),
		cmocka_unit_test(test_an_overlong_line_is_refused),
		cmocka_unit_test(test_the_socket_has_its_mode_and_goes_away),
		cmocka_unit_test(test_a_file_that_is_no_socket_is_left_alone),
		cmocka_unit_test(test_more_clients_than_allowed_wait),
		cmocka_unit_test(test_a_slow_reader_gets_everything),
		cmocka_unit_test(test_a_client_that_vanishes_is_forgotten),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
