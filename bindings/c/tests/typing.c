/* SPDX-License-Identifier: MIT OR Apache-2.0 */
/* Keys, pastes and judged input. */
#include "play.h"

static void key_is(const char *name, uint32_t modes, const char *expected)
{
    uint8_t buf[32];
    size_t len = 0;
    OK(orch_key_encode(name, modes, buf, sizeof(buf), &len));
    if (len != strlen(expected) || memcmp(buf, expected, len) != 0) {
        fprintf(stderr, "%s gives %.*s\n", name, (int)len, (const char *)buf);
        exit(1);
    }
}

static void keys_send_what_xterm_sends(void)
{
    key_is("ctrl+c", 0, "\x03");
    key_is("C-c", 0, "\x03");
    key_is("up", 0, "\x1b[A");
    key_is("up", ORCH_KEYS_APPLICATION_CURSOR, "\x1bOA");
    key_is("ctrl+shift+left", 0, "\x1b[1;6D");
    key_is("f5", 0, "\x1b[15~");
    key_is("alt+x", 0, "\x1bx");
    key_is("enter", ORCH_KEYS_NEWLINE, "\r\n");
    key_is("backspace", ORCH_KEYS_BACKARROW, "\b");
    key_is("\xc3\xa9", 0, "\xc3\xa9");
    uint8_t buf[32];
    size_t len = 0;
    ANSWERS(ORCH_NOT_FOUND, orch_key_encode("no such key", 0, buf, sizeof(buf), &len));
    ANSWERS(ORCH_INVALID, orch_key_encode("\xff", 0, buf, sizeof(buf), &len));
    ANSWERS(ORCH_INVALID, orch_key_encode("up", 128, buf, sizeof(buf), &len));
    ANSWERS(ORCH_INVALID, orch_key_encode("up", ORCH_KEYS_MODIFY_UNUSUAL | ORCH_KEYS_MODIFY_ALL, buf, sizeof(buf), &len));
    ANSWERS(ORCH_TOO_SMALL, orch_key_encode("up", 0, buf, 2, &len));
    CHECK(len == 3);
}

static void a_paste_cannot_leave_its_brackets(void)
{
    const char *text = "make\n\x1b[201~rm -rf ~\n";
    uint8_t buf[64];
    size_t len, removed;
    OK(orch_paste_encode((const uint8_t *)text, strlen(text), ORCH_PASTE_BRACKETED, buf, sizeof(buf), &len, &removed));
    const char *expected = "\x1b[200~make\r[201~rm -rf ~\r\x1b[201~";
    CHECK(len == strlen(expected) && memcmp(buf, expected, len) == 0 && removed == 1);
    OK(orch_paste_encode(NULL, 0, 0, NULL, 0, &len, NULL));
    CHECK(len == 0);
    ANSWERS(ORCH_INVALID, orch_paste_encode((const uint8_t *)text, 1, 2, buf, sizeof(buf), &len, NULL));
    ANSWERS(ORCH_TOO_SMALL, orch_paste_encode((const uint8_t *)text, strlen(text), 0, buf, 3, &len, NULL));
}

static void input_is_judged_and_never_changed(void)
{
    OK(orch_input_check((const uint8_t *)"gr\xc3\xbc\xc3\x9f" "e\n", 8, ORCH_INPUT_UTF8 | ORCH_INPUT_TEXT, 0));
    ANSWERS(ORCH_INVALID, orch_input_check((const uint8_t *)"ls\x1b[A", 5, ORCH_INPUT_TEXT, 0));
    says(ORCH_INVALID, "2");
    ANSWERS(ORCH_INVALID, orch_input_check((const uint8_t *)"\xff", 1, ORCH_INPUT_UTF8, 0));
    ANSWERS(ORCH_INVALID, orch_input_check((const uint8_t *)"\xe2\x82", 2, ORCH_INPUT_UTF8, 0)); /* It ends within a character. */
    ANSWERS(ORCH_INVALID, orch_input_check((const uint8_t *)"abc", 3, 0, 2));
    ANSWERS(ORCH_INVALID, orch_input_check(NULL, 0, 4, 0));
    OK(orch_input_check((const uint8_t *)"\xff\x1b", 2, 0, 0));
}

static const Test tests[] = {
    TEST(keys_send_what_xterm_sends),
    TEST(a_paste_cannot_leave_its_brackets),
    TEST(input_is_judged_and_never_changed),
};
RUN(tests)
