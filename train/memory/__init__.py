"""GRPO of the agentic memory: one rollout is several conversations, and one reward is shared by all of them."""
