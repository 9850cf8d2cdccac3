"""Ask the page from Python: `pip install gradio_client`, then `python client.py https://OWNER-personamem.hf.space`."""

import sys

from gradio_client import Client

page = Client(sys.argv[1], verbose=False)

# The memory is yours: it comes with each answer and goes with the next call. The page keeps nothing of it.
chat = [
    {"role": "user", "content": "Please shorten this mail: I bake sourdough every Saturday and bring a loaf to work."},
    {"role": "assistant", "content": "Here is a shorter one."},
    {"role": "user", "content": "I moved to Leeds in May."},
    {"role": "user", "content": "I started knitting mittens for my daughter."},
]
done = page.predict(memory=None, messages=chat, api_name="/remember")
memory, first = done["memory"], done["added"][0]
print(page.predict(memory=memory, query="Which bread could I bake?", api_name="/recall")["text"])
print(page.predict(memory=memory, bullet_id=first, api_name="/why")["bullet"]["sources"])

done = page.predict(memory=memory, bullet_id=first, text="I bake rye bread every Saturday", api_name="/edit")
memory = page.predict(memory=done["memory"], api_name="/undo")["memory"]

print(page.predict(memory=memory, text="never remember where I live", api_name="/preview_rule")["bullets"])
memory = page.predict(memory=memory, text="never remember where I live", api_name="/set_rule")["memory"]
done = page.predict(memory=memory, text="knitting", api_name="/forget")
print(done["num_bullets"], done["receipts"])
print(page.predict(memory=done["memory"], format="markdown", api_name="/export")["content"])

answer = page.predict(done["memory"], "Which bread could I bake?", None, api_name="/answer_question")
print([bullet["text"] for bullet in answer["used"]], answer["answer"])

table = page.predict(api_name="/leaderboard")
for row in table["rows"][:5]:
    print(row["place"], row["name"], row["accuracy"], row["submission"][:12])
