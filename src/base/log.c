/* Events of the process: one line each to stderr, to the sink and to the record of
 * the start.  A mutex orders them; the data path never comes here. */
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"

enum {
	MESSAGE_BYTES_MAX = 4096, /* before escaping */
	LINE_BYTES_MAX = 4 * MESSAGE_BYTES_MAX + 64,
	STARTUP_BYTES_MAX = 64 * 1024,
};

static const char *const level_labels[] = {
	[LOG_LEVEL_EMERG] = "[EMERG]",
	[LOG_LEVEL_ALERT] = "[ALERT]",
	[LOG_LEVEL_CRIT] = "[CRIT]",
	[LOG_LEVEL_ERR] = "[ERROR]",
	[LOG_LEVEL_WARNING] = "[WARNING]",
	[LOG_LEVEL_NOTICE] = "[NOTICE]",
	[LOG_LEVEL_INFO] = "[INFO]",
	[LOG_LEVEL_DEBUG] = "[DEBUG]",
};

static struct {
	pthread_mutex_t mutex;
	int stderr_level; /* atomic */
	log_sink *sink;
	void *sink_context;
	bool is_startup_over;
	struct text_grow startup;
} log_state = {
	.mutex = PTHREAD_MUTEX_INITIALIZER,
	.stderr_level = LOG_LEVEL_NOTICE,
	.startup = {.bytes_max = STARTUP_BYTES_MAX},
};

/* A sink that reports an event itself would wait for the mutex it runs under. */
static __thread bool is_in_sink;

/* Control characters become \xNN, so that one event stays one line. */
static void add_escaped(struct text *text, const char *message)
{
	for (; *message; message++) {
		unsigned char byte = (unsigned char)*message;

		if (byte < ' ' || byte == 0x7f)
			text_printf(text, "\\x%02x", byte);
		else
			text_add_char(text, *message);
	}
}

static void write_stderr(const struct text *line)
{
	ssize_t written;

	do
		written = write(STDERR_FILENO, line->start, line->len);
	while (written < 0 && errno == EINTR);
	/* There is nobody to tell when stderr itself is gone. */
}

/* Under the mutex.  Whole lines only; the first ones matter most. */
static void record_startup(enum log_level level, const struct text *line)
{
	struct text_grow *startup = &log_state.startup;

	if (log_state.is_startup_over || level > LOG_LEVEL_NOTICE)
		return;
	if (startup->len + line->len < startup->bytes_max)
		text_grow_add_bytes(startup, line->start, line->len);
}

static void distribute(enum log_level level, const struct text *line, size_t message_start)
{
	char message[LINE_BYTES_MAX];

	if (is_in_sink)
		return;
	pthread_mutex_lock(&log_state.mutex);
	record_startup(level, line);
	if (log_state.sink) {
		size_t len = line->len - message_start - 1;

		memcpy(message, line->start + message_start, len);
		message[len] = '\0';
		is_in_sink = true;
		log_state.sink(log_state.sink_context, level, message);
		is_in_sink = false;
	}
	pthread_mutex_unlock(&log_state.mutex);
}

void log_event(enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	char message_storage[MESSAGE_BYTES_MAX], line_storage[LINE_BYTES_MAX];
	struct text message, line;
	size_t message_start;
	va_list arguments;

	text_init(&message, message_storage, sizeof(message_storage));
	va_start(arguments, format);
	text_vprintf(&message, format, arguments);
	va_end(arguments);

	text_init(&line, line_storage, sizeof(line_storage));
	text_printf(&line, "%-10s (%d) : ", level_labels[level], (int)getpid());
	message_start = line.len;
	add_escaped(&line, message_storage);
	if (message.is_cut)
		text_add(&line, " [...]");
	text_add_char(&line, '\n');

	if ((int)level <= __atomic_load_n(&log_state.stderr_level, __ATOMIC_RELAXED))
		write_stderr(&line);
	distribute(level, &line, message_start);
	errno = saved_errno;
}

void log_set_stderr_level(int level_max)
{
	__atomic_store_n(&log_state.stderr_level, level_max, __ATOMIC_RELAXED);
}

void log_set_sink(log_sink *sink, void *context)
{
	pthread_mutex_lock(&log_state.mutex);
	log_state.sink = sink;
	log_state.sink_context = context;
	pthread_mutex_unlock(&log_state.mutex);
}

char *log_startup_copy(void)
{
	char *copy = NULL;

	pthread_mutex_lock(&log_state.mutex);
	if (log_state.startup.start)
		copy = strdup(log_state.startup.start);
	pthread_mutex_unlock(&log_state.mutex);
	return copy;
}

void log_startup_end(void)
{
	pthread_mutex_lock(&log_state.mutex);
	log_state.is_startup_over = true;
	pthread_mutex_unlock(&log_state.mutex);
}
