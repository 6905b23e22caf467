"""The sign-in service of Supabase (GoTrue), as far as the foundation needs it [R30]."""
