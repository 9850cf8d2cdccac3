# Ask the page with curl: a call returns an id, and the id's stream the answer. PAGE=https://OWNER-personamem.hf.space
call() {
  ID=$(curl -s "$PAGE/gradio_api/call/v2/$1" -H 'Content-Type: application/json' -d "$2" |
    sed 's/.*"event_id": *"\([^"]*\)".*/\1/')
  curl -s -N "$PAGE/gradio_api/call/$1/$ID"
}
call leaderboard '{"limit": 5}'
call remember '{"memory": null, "messages": [{"role": "user", "content": "I bake sourdough every Saturday."}]}'
