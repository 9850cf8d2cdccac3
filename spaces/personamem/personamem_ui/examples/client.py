"""Ask the page from Python: `pip install gradio_client`, then `python client.py https://OWNER-personamem.hf.space`."""

import sys

from gradio_client import Client

page = Client(sys.argv[1], verbose=False)

history = [
    {"role": "user", "content": "Please shorten this mail: I bake sourdough every Saturday and bring a loaf to work."},
    {"role": "assistant", "content": "Here is a shorter one."},
]
memory = page.predict(history, 2048, api_name="/build_memory")
print([bullet["text"] for bullet in memory["bullets"]])

answer = page.predict(memory, "What could I do on Saturday?", None, api_name="/answer_question")
print([bullet["text"] for bullet in answer["used"]], answer["answer"])

table = page.predict(api_name="/leaderboard")
for row in table["rows"][:5]:
    print(row["place"], row["name"], row["accuracy"], row["submission"][:12])
