"""The relational plane: PostgreSQL, hosted by Supabase or plain. The source of truth."""
