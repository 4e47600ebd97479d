"""Orders: asked for, approved by both sides, carried out."""
