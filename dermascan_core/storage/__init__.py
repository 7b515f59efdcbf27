"""What is kept, and only after somebody asked for it: people, lesions, photos, screenings, reviews, outcomes, audit."""
