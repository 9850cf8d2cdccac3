# Ask the page with curl: a call returns an id, and the id's stream the answer. PAGE=https://OWNER-personamem.hf.space
ID=$(curl -s "$PAGE/gradio_api/call/leaderboard" -H 'Content-Type: application/json' \
  -d '{"data": ["", "mcq", "", "", "", 5]}' | sed 's/.*"event_id": *"\([^"]*\)".*/\1/')
curl -s -N "$PAGE/gradio_api/call/leaderboard/$ID"
