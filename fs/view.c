#include "fs/view.h"

#include "api/json.h"

int view_json(const struct part *part, struct strbuf *out)
{
	if (part) {
		json_pretty(part_json(part), JSON_AS_GIVEN, out);
	} else {
		strbuf_adds(out, "{}");
	}
	strbuf_addc(out, '\n');
	return out->err;
}

int view_json_sorted(const struct part *part, struct strbuf *out)
{
	if (part) {
		json_pretty(part_json(part), JSON_SORTED, out);
	} else {
		strbuf_adds(out, "{}");
	}
	strbuf_addc(out, '\n');
	return out->err;
}

int view_status(const struct part *part, struct strbuf *out)
{
	static const char unknown[] =
		"{\n  \"connector\": {\n    \"state\": \"UNKNOWN\"\n  },\n  \"tasks\": []\n}\n";
	if (part) {
		return view_json(part, out);
	}
	strbuf_adds(out, unknown);
	return out->err;
}

int view_state(const struct part *part, struct strbuf *out)
{
	struct json_slice state = json_get(part_json(part), "connector/state");
	if (json_type(state) == JSON_STRING) {
		json_decode(state, out);
	} else {
		strbuf_adds(out, "UNKNOWN");
	}
	strbuf_addc(out, '\n');
	return out->err;
}
