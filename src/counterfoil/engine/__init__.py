"""Acts: takes news in, decides by the rules of core, writes, and speaks to the provider. The only writer."""
